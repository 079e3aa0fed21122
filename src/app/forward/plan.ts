import { type ForwardReport, type ForwardTarget, sameTarget } from '../../domain/forward/forward-report.ts'
import { conflictError, usageError } from '../../errors.ts'
import type { ForwardPorts } from '../../ports/forward.ts'
import { chooseWay, type ForwardInput, type Way } from './way.ts'

/** All that is known before anything is opened. */
export type ForwardPlan = {
  readonly input: ForwardInput
  readonly way: Way
  readonly port: number
  readonly addresses: readonly string[]
  /** Those that this machine need not have. */
  readonly optional: readonly string[]
  readonly leads: ForwardTarget
}

const LOOPBACK = ['127.0.0.1', '::1']

export async function planForward(ports: ForwardPorts, input: ForwardInput): Promise<ForwardPlan> {
  const addresses = input.addresses ?? LOOPBACK
  const open = addresses.find((address) => address !== '::1' && !/^127\.\d+\.\d+\.\d+$/.test(address))
  if (open !== undefined) {
    const why = `"${open}" is no loopback address: everybody who reaches it could write to the registry`
    throw usageError('NOT_LOOPBACK', why, { suggestions: ['regctl dev-forward --address 127.0.0.1'] })
  }
  const way = await chooseWay(ports, input)
  const { context, server } = ports.kube.target
  return {
    input,
    way,
    addresses,
    optional: input.addresses === undefined ? ['::1'] : [],
    port: input.port ?? way.port,
    leads: {
      context,
      server,
      namespace: input.namespace,
      mode: way.mode,
      ...(way.identity === undefined ? {} : { identity: way.identity }),
    },
  }
}

/**
 * A forward of this user's that leads to the same place already.
 * @throws conflict error PORT_TAKEN where one leads elsewhere
 */
export async function existingForward(ports: ForwardPorts, plan: ForwardPlan): Promise<ForwardReport | undefined> {
  const [address = ''] = plan.addresses
  const report = plan.port === 0 ? undefined : await ports.listeners.ask(address, plan.port)
  if (report === undefined) return undefined
  const holder = await ports.listeners.holder(plan.port)
  const ours = holder?.uid === undefined || holder.uid === process.getuid?.()
  if (ours && sameTarget(report, plan.leads)) return report
  const leads = `the registry of namespace "${report.namespace}" in context "${report.context}" by ${report.mode}${
    report.identity === undefined ? '' : ` as ${report.identity}`
  }`
  throw conflictError('PORT_TAKEN', `port ${plan.port} leads to ${leads}, by another regctl (pid ${report.pid})`, {
    // --stop ends what runs in the background alone.
    suggestions: [
      report.log === undefined ? `kill ${report.pid}` : `regctl dev-forward --stop --port ${plan.port}`,
      `regctl dev-forward --port ${plan.port + 1}`,
    ],
    details: { port: plan.port, holder: { pid: report.pid } },
  })
}
