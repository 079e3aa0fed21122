import { nodeFaults } from '../../domain/envoy/node-listeners.ts'
import { type Installation, serviceHost } from '../../domain/installation.ts'
import { isReady } from '../../domain/ready-pods.ts'
import { guardedNodes } from '../../domain/stack/node-gateway.ts'
import { RegctlError } from '../../errors.ts'
import type { Ports } from '../../ports.ts'
import { type ForeignGateways, foreignGateways } from './gateway.ts'
import { listenersOf, nodeProxyPods, routesOf } from './proxy.ts'

/** What the Ready gateways of nodes do that they should not, or do not that they should. */
export async function nodeGatewayFaults(ports: Ports, at: Installation): Promise<readonly string[]> {
  const way = { port: at.port, cluster: `outbound|${at.port}||${serviceHost(at)}` }
  const pods = (await nodeProxyPods(ports, at)).filter(isReady)
  const faults = await Promise.all(
    pods.map(async (pod) => {
      try {
        const [listeners, routes] = await Promise.all([listenersOf(ports, pod), routesOf(ports, pod)])
        return nodeFaults(listeners, routes, way).map((what) => `node ${pod.spec?.nodeName}: ${what}`)
      } catch (error) {
        if (!(error instanceof RegctlError)) throw error
        return [error.message]
      }
    }),
  )
  return faults.flat()
}

/** Gateways of others that attach to the nodes' gateways, or whose next change would be refused for their sake. */
export const foreignToNodes = async (ports: Pick<Ports, 'kube'>, at: Installation): Promise<ForeignGateways> =>
  foreignGateways(ports, guardedNodes(at), await nodeProxyPods(ports, at))
