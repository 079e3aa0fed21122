import { rm } from 'node:fs/promises'
import { expect } from 'vitest'
import { REGISTRY } from '../attacks/kit.ts'
import { getJson } from '../clients.ts'
import { eventually, kubectlOk } from '../cluster.ts'
import { alive, push, type Report, ready, reportOf } from './kit.ts'

type Pod = {
  metadata: { uid: string; name: string; deletionTimestamp?: string }
  status: { conditions?: { type: string; status: string }[] }
}

/** @throws where none is ready but the one that is given */
async function readyPod(other?: Pod): Promise<Pod> {
  const { items } = await getJson<{ items: Pod[] }>('pods', '-n', REGISTRY, '-l', 'app=kube-registry')
  const found = items.find(
    ({ metadata, status }) =>
      metadata.deletionTimestamp === undefined &&
      metadata.uid !== other?.metadata.uid &&
      status.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True'),
  )
  if (found === undefined) throw new Error('no registry pod is ready')
  return found
}

/** The registry's pod goes while a layer is on its way. Gives the name of the next one and the forward's report. */
export async function replacedDuringPush(
  pid: number,
  port: number,
  image: string,
  large: string,
): Promise<{ readonly pod: string; readonly report: Report }> {
  const before = await eventually(() => readyPod())
  const [up = 0] = [(await reportOf(port))?.bytes.up]
  const pushing = push(image, large).catch((error: Error) => error)
  await eventually(async () => expect((await reportOf(port))?.bytes.up).toBeGreaterThan(up + 10_000_000), { every: 20 })
  await kubectlOk(['delete', 'pod', '-n', REGISTRY, before.metadata.name, '--wait=false', '--grace-period=1'])
  const after = await eventually(() => readyPod(before), { every: 100 })
  const became = performance.now()
  const asked = async () => expect((await fetch(`http://localhost:${port}/v2/`)).status).toBe(200)
  await eventually(asked, { timeout: 10_000, every: 50 })
  expect(performance.now() - became).toBeLessThan(3_000)
  // A client without retries of its own fails; its next run does not.
  await pushing
  await push(image, large)
  await rm(large)
  expect(await alive(pid)).toBe(true)
  return { pod: after.metadata.name, report: await ready(port) }
}
