import type { ForwardReport } from '../../domain/forward/forward-report.ts'
import { clusterError, RegctlError } from '../../errors.ts'
import type { Daemons, ForwardPorts } from '../../ports/forward.ts'
import { adviceOnDocker } from './docker-daemon.ts'
import { Forward } from './forward.ts'
import { existingForward, planForward } from './plan.ts'
import type { ForwardInput } from './way.ts'

/** How long a command or a start in the background waits for a registry that is not ready. */
const READY_LIMIT = 60_000

/** Shows a forward while it runs; gives what ends the showing. */
export type Show = (forward: {
  readonly report: ForwardReport
  onChange(listener: () => void): () => void
}) => () => void

/** To start the engine's program takes the time of a request, and whoever waited for the port sends theirs now. */
const ADVICE_AFTER = 250

export type Served = { readonly report: ForwardReport; readonly reused: boolean; readonly exitCode?: number }

/** Until the signal; at once where a forward of ours does the same already. */
export async function serve(
  ports: ForwardPorts & { readonly daemons: Daemons },
  input: ForwardInput,
  show: Show,
): Promise<Served> {
  const opened = await openOrReuse(ports, input)
  if (!(opened instanceof Forward)) return { report: opened, reused: true }
  const hide = show(opened)
  const delist = await ports.daemons.enlist(opened.report.port)
  try {
    void noteDocker(ports, opened)
    await new Promise<void>((resolve) => {
      ports.signal.addEventListener('abort', () => resolve())
      if (ports.signal.aborted) resolve()
    })
    return { report: { ...opened.report, state: 'stopped' }, reused: false }
  } finally {
    hide()
    await opened.close()
    await delist()
  }
}

/** Runs a command with the forward up. */
export async function serveCommand(
  ports: ForwardPorts,
  input: ForwardInput,
  argv: readonly string[],
  quiet: boolean,
  readyMs = READY_LIMIT,
): Promise<Served> {
  const opened = await openOrReuse(ports, input)
  const reused = !(opened instanceof Forward)
  try {
    if (!reused && !(await opened.ready(readyMs))) throw notReady(opened, readyMs)
    const { port } = reused ? opened : opened.report
    const env = { REGCTL_REGISTRY: `localhost:${port}`, REGCTL_PORT: String(port) }
    const exitCode = await ports.programs.attach(argv, { env, signal: ports.signal, quiet })
    return { report: reused ? opened : opened.report, reused, exitCode }
  } finally {
    if (!reused) await opened.close()
  }
}

/** Whoever has the port serves both; it is asked only then, because another program there may say nothing for seconds. */
async function openOrReuse(ports: ForwardPorts, input: ForwardInput): Promise<Forward | ForwardReport> {
  const plan = await planForward(ports, input)
  try {
    return await Forward.open(ports, plan)
  } catch (error) {
    if (!(error instanceof RegctlError) || error.code !== 'PORT_TAKEN') throw error
    const existing = await existingForward(ports, plan)
    if (existing === undefined) throw error
    return existing
  }
}

async function noteDocker(ports: ForwardPorts, forward: Forward): Promise<void> {
  if (!(await forward.ready(READY_LIMIT).catch(() => false))) return
  await ports.clock.sleep(ADVICE_AFTER, ports.signal).catch(() => {})
  if (ports.signal.aborted) return
  const advice = await adviceOnDocker(ports.programs, forward.report.port)
  if (advice === undefined || ports.signal.aborted) return
  forward.noteDocker(`${advice.why}; try: ${advice.fix}`)
}

/** A developer of the mesh modes may not look into the cluster. */
const notReady = ({ report, suggestions }: Forward, readyMs: number): RegctlError =>
  clusterError('NOT_READY', `the registry did not become reachable within ${readyMs / 1_000} s: ${report.detail}`, {
    suggestions: [...suggestions, `ask whoever may: regctl status --namespace ${report.namespace}`],
  })

export { READY_LIMIT }
