import type { ForwardReport, Found } from '../../domain/forward/forward-report.ts'
import { clusterError, RegctlError } from '../../errors.ts'
import type { Daemons, ForwardPorts, ForwardRecord, Listeners } from '../../ports/forward.ts'
import type { Clock } from '../../ports.ts'
import { freePort } from './free-port.ts'
import { existingForward, type ForwardPlan, planForward } from './plan.ts'
import { READY_LIMIT, type Served } from './serve.ts'
import type { ForwardInput } from './way.ts'

type Background = { readonly daemons: Daemons; readonly listeners: Listeners; readonly clock: Clock }

type Detached = ForwardPorts & { readonly daemons: Daemons }
type Argv = (found: Found) => readonly string[]

/** Of free ports that another program was faster to take. */
const ATTEMPTS = 3

/** Leaves a forward running in the background. What is wrong with cluster, rights or port is found here, where somebody reads it. */
export async function detach(ports: Detached, input: ForwardInput, argv: Argv): Promise<Served> {
  const plan = await planForward(ports, input)
  const existing = await existingForward(ports, plan)
  if (existing !== undefined) return { report: existing, reused: true }
  if (plan.port !== 0) return start(ports, plan, argv)
  for (let attempt = 1; ; attempt += 1) {
    try {
      // Found here and not by the process: started anew it would be on another port, where nobody looks for it.
      return await start(ports, { ...plan, port: (await freePort(ports, plan)).port }, argv)
    } catch (error) {
      const taken = error instanceof RegctlError && error.details?.why === 'PORT_TAKEN'
      if (!taken || attempt === ATTEMPTS) throw error
    }
  }
}

async function start(ports: Detached, plan: ForwardPlan, argv: Argv): Promise<Served> {
  const { port } = plan
  const started = await ports.daemons.start(port, argv({ ...plan.leads, port }))
  const [address = ''] = plan.addresses
  let report: ForwardReport | undefined
  for (
    const end = ports.clock.now() + READY_LIMIT;
    ports.clock.now() < end;
    await ports.clock.sleep(100, ports.signal)
  ) {
    report = await ports.listeners.ask(address, port)
    const said = await started.ended()
    if (report?.state === 'ready') {
      const records = await ports.daemons.list()
      if (records.some((record) => record.port === port && record.pid === started.pid)) return { report, reused: false }
      // Another start got the port first. Ours has to find that out, or it would take the port when that one is stopped.
      if (said !== undefined && (await existingForward(ports, plan)) !== undefined) return { report, reused: true }
    }
    if (said === undefined || report !== undefined) continue
    throw clusterError('DETACH_FAILED', `the forward in the background ended: ${lastLine(said)}`, {
      suggestions: [`cat ${started.log}`, 'regctl dev-forward'],
      details: { why: /^Code: (\w+)$/m.exec(said)?.[1] },
    })
  }
  if (report !== undefined) return { report, reused: false }
  throw clusterError('DETACH_FAILED', 'the forward in the background does not answer', {
    suggestions: [`cat ${started.log}`],
  })
}

const lastLine = (text: string): string =>
  text
    .split('\n')
    .findLast((line) => line.startsWith('Error:'))
    ?.replace(/^Error: /, '') ??
  text.split('\n').at(-1) ??
  ''

export type Listed = {
  readonly forwards: readonly ForwardReport[]
  /** Detached ones that run and do not answer. */
  readonly silent: readonly ForwardRecord[]
}

/** Every detached forward, and whatever forward has the port that was asked for. */
export async function listForwards(
  { daemons, listeners }: Omit<Background, 'clock'>,
  port?: number,
  usual = DEFAULT_PORT,
): Promise<Listed> {
  const records = (await daemons.list()).filter((record) => port === undefined || record.port === port)
  const others = [port ?? usual].filter((one) => !records.some((record) => record.port === one))
  const asked = await Promise.all(
    [...records.map((record) => record.port), ...others].map((one) => askAny(listeners, one)),
  )
  return {
    forwards: asked.filter((report) => report !== undefined),
    silent: records.filter((_, index) => asked[index] === undefined),
  }
}

const DEFAULT_PORT = 5000

const askAny = async (listeners: Listeners, port: number): Promise<ForwardReport | undefined> =>
  (await listeners.ask('127.0.0.1', port)) ?? (await listeners.ask('::1', port))

/** Ends the detached forward of the port, or all of them. */
export async function stopForwards(
  { daemons }: Pick<Background, 'daemons'>,
  port?: number,
): Promise<readonly { readonly port: number; readonly pid: number }[]> {
  const records = (await daemons.list()).filter((record) => port === undefined || record.port === port)
  const stopped = await Promise.all(records.map((record) => daemons.stop(record)))
  return records.filter((_, index) => stopped[index] === true).map((record) => ({ port: record.port, pid: record.pid }))
}
