import type { KubeObject } from '../kube-object.ts'
import { customaryLabels } from '../stack/gateway-admission.ts'
import { gatewayName } from './place.ts'
import type { OpenPort, PortSet } from './port-set.ts'

type Server = {
  readonly port?: { readonly number?: number; readonly protocol?: string }
  readonly hosts?: readonly string[]
}
type Spec = { readonly selector?: Readonly<Record<string, string>>; readonly servers?: readonly Server[] }

/** A Gateway that serves by a port, and for whom. */
export type Attached = {
  readonly gateway: string
  readonly namespace: string
  readonly protocol: string
  readonly hosts: readonly string[]
}

/** A Gateway of the port's number is translated to the pod's by the Service; one of the pod's own number is taken as it is. */
const isOn = ({ port, targetPort }: OpenPort, { port: theirs }: Server): boolean =>
  theirs?.number === port || theirs?.number === targetPort

export function attachedTo(
  { name }: PortSet,
  port: OpenPort,
  gateways: readonly KubeObject[],
  podLabels: readonly Readonly<Record<string, string>>[],
): readonly Attached[] {
  const labelled = [customaryLabels(gatewayName(name)), ...podLabels]
  return gateways.flatMap(({ metadata, spec }) => {
    const { selector = {}, servers = [] } = (spec ?? {}) as Spec
    const entries = Object.entries(selector)
    if (!labelled.some((labels) => entries.every(([key, value]) => labels[key] === value))) return []
    return servers
      .filter((server) => isOn(port, server))
      .map(({ port: served, hosts = [] }) => ({
        gateway: metadata.name,
        namespace: metadata.namespace ?? '',
        protocol: served?.protocol ?? '',
        // `NAMESPACE/HOST`: whose VirtualServices may attach is not who is served.
        hosts: hosts.map((host) => host.slice(host.indexOf('/') + 1)),
      }))
  })
}
