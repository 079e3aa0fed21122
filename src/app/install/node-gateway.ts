import { clusterError } from '../../errors.ts'
import type { Ports } from '../../ports.ts'
import { nodeGatewayFaults } from '../cluster/node-gateway.ts'
import { nodeProxyPods } from '../cluster/proxy.ts'
import { rejectionsOf } from './filter-rollback.ts'
import type { InstallPlan } from './install-plan.ts'

/**
 * Every node's Envoy listens on loopback for the registry alone and leads nowhere else, whoever's Gateways there are.
 * @throws cluster error NODE_GATEWAY_NOT_PROVEN
 */
export async function proveNodeGateways(ports: Ports, { at }: InstallPlan, timeoutMs: number): Promise<void> {
  const deadline = ports.clock.now() + timeoutMs
  for (;;) {
    const pods = await nodeProxyPods(ports, at)
    const faults = (await Promise.all([nodeGatewayFaults(ports, at), rejectionsOf(ports, pods, at.port)])).flat()
    if (faults.length === 0) return
    if (ports.clock.now() >= deadline)
      throw clusterError('NODE_GATEWAY_NOT_PROVEN', `a gateway is not as it should be: ${faults.join('; ')}`, {
        suggestions: ['kubectl get gateways.networking.istio.io -A', 'regctl up --node-proxy sidecar'],
        details: { faults },
      })
    await ports.clock.sleep(500, ports.signal)
  }
}
