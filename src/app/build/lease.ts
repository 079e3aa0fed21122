import { LEASE_SECONDS } from '../../domain/build/job.ts'
import { type KubeObject, refOf } from '../../domain/kube-object.ts'
import { RegctlError } from '../../errors.ts'
import type { BuildPorts } from '../../ports.ts'

const RENEWAL = 20_000

/**
 * Puts the Job's deadline off while the build is waited for. A regctl that was killed, or a machine that is gone, does not, and
 * then the cluster ends the build. The deadline counts from the Job's start, so no clocks need to agree.
 */
export async function keepLease(
  { kube, clock, report }: BuildPorts,
  job: KubeObject,
  timeoutMs: number,
  during: AbortSignal,
): Promise<void> {
  const started = clock.now()
  for (;;) {
    await clock.sleep(RENEWAL, during).catch(() => undefined)
    if (during.aborted) return
    const passed = Math.ceil((clock.now() - started) / 1000)
    const activeDeadlineSeconds = Math.min(passed + LEASE_SECONDS, Math.ceil(timeoutMs / 1000) + LEASE_SECONDS)
    try {
      await kube.mergePatch(refOf(job), { spec: { activeDeadlineSeconds } })
    } catch (error) {
      if (during.aborted) return
      if (!(error instanceof RegctlError)) throw error
      report.warn(`the build's deadline could not be put off: ${error.message}`)
    }
  }
}
