import type { V1Pod } from '@kubernetes/client-node'
import { activeConfig } from '../../domain/envoy/active-config.ts'
import { passing, passingFault } from '../../domain/envoy/passed-names.ts'
import type { KubeObject } from '../../domain/kube-object.ts'
import { isReady } from '../../domain/ready-pods.ts'
import { type GuardedGateway, isAdmitted, mayAttach, type OwnGateway } from '../../domain/stack/gateway-admission.ts'
import { RegctlError } from '../../errors.ts'
import type { Ports } from '../../ports.ts'
import { gatewayPods, listenersOf } from './proxy.ts'

/** What the gateway's Ready pods take in that they should not, or do not that they should. */
export async function gatewayFaults(
  ports: Ports,
  own: OwnGateway,
  port: number,
  names: readonly string[],
): Promise<readonly string[]> {
  const pods = (await gatewayPods(ports, own)).filter(isReady)
  const faults = await Promise.all(
    pods.map(async (pod) => {
      try {
        const dump = await listenersOf(ports, pod)
        const fault = passingFault(passing(dump), port, names)
        const refused = activeConfig(dump, port).rejected.map(
          // What it had before stays in force, and no change arrives any more.
          ({ listener, details }) => `it refused an update of listener ${listener}: ${details}`,
        )
        return [...(fault === undefined ? [] : [fault]), ...refused].map((what) => `pod ${pod.metadata?.name}: ${what}`)
      } catch (error) {
        if (!(error instanceof RegctlError)) throw error
        return [error.message]
      }
    }),
  )
  return faults.flat()
}

export type ForeignGateways = { readonly attached: readonly KubeObject[]; readonly refused: readonly KubeObject[] }

/** Gateways of others that attach to a gateway of ours, or whose next change would be refused for its sake. */
export async function foreignGateways(
  { kube }: Pick<Ports, 'kube'>,
  { value, attachable }: GuardedGateway,
  pods: readonly V1Pod[],
): Promise<ForeignGateways> {
  const gateways = await kube.list({ apiVersion: 'networking.istio.io/v1', kind: 'Gateway' })
  const labels = pods.map(({ metadata }) => metadata?.labels ?? {})
  const foreign = gateways.filter(({ metadata: { namespace = '' } }) => !attachable.includes(namespace))
  const attached = foreign.filter((gateway) => mayAttach(gateway, value, labels))
  return { attached, refused: foreign.filter((gateway) => !isAdmitted(gateway, value) && !attached.includes(gateway)) }
}

/** The same for a gateway that is there once. */
export const foreignToOwn = async (ports: Pick<Ports, 'kube'>, own: OwnGateway): Promise<ForeignGateways> =>
  foreignGateways(ports, own, await gatewayPods(ports, own))
