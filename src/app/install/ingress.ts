import { isDeepStrictEqual } from 'node:util'
import { INGRESS_PORT } from '../../domain/installation.ts'
import { accessObject } from '../../domain/stack/developer-access.ts'
import { passedNames } from '../../domain/stack/developer-ingress.ts'
import { developerGateway } from '../../domain/stack/gateway-admission.ts'
import { clusterError } from '../../errors.ts'
import type { Ports } from '../../ports.ts'
import { developerAccess } from '../cluster/developer-access.ts'
import { gatewayFaults } from '../cluster/gateway.ts'
import type { InstallPlan } from './install-plan.ts'

/** A cloud makes a load balancer in minutes; what is there by then is published, the rest by a later `up`. */
const BALANCER_MS = 20_000

/** Tells developers where the gateway is, which is known only now that it runs. */
export async function publishAccess(ports: Ports, plan: InstallPlan): Promise<void> {
  if (plan.at.developers !== true) return
  const access = await ports.report.step('Publish where the gateway is', (note) => whereItIs(ports, plan, note))
  const wanted = accessObject(plan.at, access)
  const planned = plan.wanted.find(
    ({ kind, metadata }) => kind === wanted.kind && metadata.name === wanted.metadata.name,
  )
  if (!isDeepStrictEqual(planned, wanted)) await ports.kube.apply(wanted, { force: true })
  for (const address of access.addresses) ports.report.info(`Developers come in by ${address}`)
  for (const address of access.registryAddresses) ports.report.info(`and reach the registry's own proxy by ${address}`)
  if (access.addresses.length === 0)
    ports.report.info(
      "Developers come in by a port-forward of the gateway's pod: regctl grant … --allow-gateway-forward",
    )
}

async function whereItIs(ports: Ports, plan: InstallPlan, note: (text: string) => void) {
  const { at, settings, mesh } = plan
  const isNew = plan.changes.some(
    ({ ref, action }) => ref.kind === 'Service' && ref.namespace !== at.namespace && action !== 'unchanged',
  )
  const deadline = ports.clock.now() + (isNew ? BALANCER_MS : 0)
  for (;;) {
    const access = await developerAccess(ports, at, settings, mesh)
    const type = settings.developerIngressType ?? 'LoadBalancer'
    const waits = type === 'LoadBalancer' && !access.addresses.some((address) => address.endsWith(':15443'))
    if (!waits || ports.clock.now() >= deadline) return access
    note('the load balancer has no address yet')
    await ports.clock.sleep(1000, ports.signal)
  }
}

/**
 * The gateway's Envoy passes on the two names it is for and listens for nothing else, whoever's Gateways there are.
 * @throws cluster error GATEWAY_NOT_PROVEN
 */
export async function proveIngress(ports: Ports, { at, mesh }: InstallPlan, timeoutMs: number): Promise<void> {
  const deadline = ports.clock.now() + timeoutMs
  for (;;) {
    const faults = await gatewayFaults(ports, developerGateway(at), INGRESS_PORT, passedNames(at, mesh.authority))
    if (faults.length === 0) return
    if (ports.clock.now() >= deadline)
      throw clusterError('GATEWAY_NOT_PROVEN', `the developers' gateway is not as it should be: ${faults.join('; ')}`, {
        suggestions: ['kubectl get gateways.networking.istio.io -A', 'regctl up --no-developer-ingress, to close it'],
        details: { faults },
      })
    await ports.clock.sleep(500, ports.signal)
  }
}
