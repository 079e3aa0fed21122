import type { V1ContainerPort, V1Node, V1Pod, V1Service } from '@kubernetes/client-node'
import type { OpenPort } from './port-set.ts'

/** What has a port of a node already. */
export type Holder = { readonly port: number; readonly what: string }

const EVERY = new Set([undefined, '', '0.0.0.0', '::'])

/** Can both have the same port of one node? */
const meet = (ours: OpenPort, hostIP: string | undefined): boolean =>
  ours.address === 'all' || EVERY.has(hostIP) || hostIP === '127.0.0.1'

const portsOf = ({ spec }: V1Pod): readonly (V1ContainerPort & { readonly onHost: number | undefined })[] =>
  [...(spec?.containers ?? []), ...(spec?.initContainers ?? [])]
    .flatMap(({ ports }) => ports ?? [])
    // The API server writes both for the host network; a client of an old one may not have.
    .map((one) => ({ ...one, onHost: one.hostPort ?? (spec?.hostNetwork === true ? one.containerPort : undefined) }))

const isOver = ({ status }: V1Pod): boolean => status?.phase === 'Succeeded' || status?.phase === 'Failed'

/** Pods on these nodes, or on their way to any, that have one of the ports; `home`'s own do not count. */
export function podHolders(
  ports: readonly OpenPort[],
  nodes: readonly string[],
  pods: readonly V1Pod[],
  home: string,
): readonly Holder[] {
  return pods
    .filter((pod) => pod.metadata?.namespace !== home && !isOver(pod))
    .filter(({ spec }) => spec?.nodeName === undefined || spec.nodeName === '' || nodes.includes(spec.nodeName))
    .flatMap((pod) =>
      portsOf(pod).flatMap((theirs) =>
        ports
          .filter(({ port }) => port === theirs.onHost && (theirs.protocol ?? 'TCP') === 'TCP')
          .filter((ours) => meet(ours, theirs.hostIP))
          .map(({ port }) => ({
            port,
            what: `pod ${pod.metadata?.namespace}/${pod.metadata?.name}${pod.spec?.nodeName ? ` on node ${pod.spec.nodeName}` : ', which waits for a node'}`,
          })),
      ),
    )
}

/** A node port of a Service is one of every node. */
export const serviceHolders = (ports: readonly OpenPort[], services: readonly V1Service[]): readonly Holder[] =>
  services.flatMap(({ metadata, spec }) =>
    [...(spec?.ports ?? []).map(({ nodePort }) => nodePort), spec?.healthCheckNodePort].flatMap((theirs) =>
      ports
        .filter(({ port }) => port === theirs)
        .map(({ port }) => ({ port, what: `the node port of Service ${metadata?.namespace}/${metadata?.name}` })),
    ),
  )

/** The ports of this pod by which it is a gateway of ours already. */
export const ownPorts = (pod: V1Pod): readonly number[] => portsOf(pod).flatMap(({ onHost }) => onHost ?? [])

/** Taints that the DaemonSet controller's own tolerations cover. */
const PASSING = /^node\.kubernetes\.io\//

/** May a pod without tolerations of its own run there? */
export const isUntainted = ({ spec }: V1Node): boolean =>
  (spec?.taints ?? []).every(({ key, effect }) => effect === 'PreferNoSchedule' || PASSING.test(key))
