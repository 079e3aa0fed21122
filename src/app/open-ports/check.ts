import type { V1Node, V1Pod, V1Service } from '@kubernetes/client-node'
import type { Installation } from '../../domain/installation.ts'
import { describeRef, type KubeObject, refOf } from '../../domain/kube-object.ts'
import { type Holder, ownPorts, podHolders, serviceHolders } from '../../domain/open-ports/holders.ts'
import { guardedSet, portNamespace } from '../../domain/open-ports/place.ts'
import type { PortSet } from '../../domain/open-ports/port-set.ts'
import { conflictError, preconditionError } from '../../errors.ts'
import type { OpenPortPorts, Ports } from '../../ports.ts'
import { foreignGateways } from '../cluster/gateway.ts'
import { liveObjects } from '../cluster/ownership.ts'
import { portPods } from '../cluster/proxy.ts'
import { nodesOf } from './node-states.ts'
import { processHolders, type Wanted } from './probe.ts'

/** The nodes a set runs on. @throws precondition error NO_NODE */
export async function requireNodes(ports: Pick<Ports, 'kube'>, set: PortSet): Promise<readonly V1Node[]> {
  const found = await nodesOf(ports, set)
  if (found.length > 0) return found
  const { nodes: selector } = set
  const which = selector === '' ? 'every node has a taint' : `no node matches "${selector}"`
  throw preconditionError('NO_NODE', `${which}, so the port would be open nowhere`, {
    suggestions: ['kubectl get nodes --show-labels', 'add --nodes SELECTOR'],
  })
}

/** @throws precondition error NO_NAMESPACE for a namespace nobody has */
export async function checkNamespaces(
  { kube }: Ports,
  at: Installation,
  { name, gatewaysFrom }: PortSet,
): Promise<void> {
  for (const namespace of gatewaysFrom) {
    if (namespace === portNamespace(at, name)) continue
    if ((await kube.get({ apiVersion: 'v1', kind: 'Namespace', name: namespace })) !== undefined) continue
    throw preconditionError('NO_NAMESPACE', `namespace "${namespace}" does not exist, so no Gateway can come from it`, {
      suggestions: [`kubectl create namespace ${namespace}`],
    })
  }
}

/**
 * The admission policy asks whoever makes a Gateway from now on; those that exist it never asks.
 * @throws conflict error GATEWAY_ATTACHES
 */
export async function checkGateways(
  ports: Ports,
  at: Installation,
  set: PortSet,
  admissionPolicies: boolean,
): Promise<void> {
  const { attached, refused } = await foreignGateways(ports, guardedSet(at, set), await portPods(ports, at, set.name))
  const named = (objects: readonly KubeObject[]) => objects.map((object) => describeRef(refOf(object))).join(', ')
  if (attached.length > 0)
    throw conflictError(
      'GATEWAY_ATTACHES',
      `${named(attached)} would attach to these ports, and ${attached.length === 1 ? 'its namespace is' : 'their namespaces are'} not named by --gateways-from`,
      {
        suggestions: attached.map(
          ({ metadata: { name, namespace } }) =>
            `kubectl edit gateways.networking.istio.io -n ${namespace} ${name}, and give its selector a label of its own gateway's pods, such as app`,
        ),
        details: { gateways: attached.map((object) => describeRef(refOf(object))) },
      },
    )
  if (refused.length > 0)
    ports.report.warn(
      `${named(refused)}: the next change will be refused until the selector names app, istio or app.kubernetes.io/name`,
    )
  if (!admissionPolicies)
    ports.report.warn(
      'This cluster has no ValidatingAdmissionPolicy: whoever may make a Gateway anywhere can serve by these ports',
    )
}

/** @throws conflict error NOT_OURS */
export const checkOwnership = (ports: Ports, at: Installation, objects: readonly KubeObject[]): Promise<unknown> =>
  liveObjects(ports.kube, at, objects)

/**
 * Nobody else has one of the ports on one of the nodes.
 * @throws conflict error PORT_TAKEN that names everybody who has
 */
export async function checkPorts(
  ports: OpenPortPorts,
  at: Installation,
  set: PortSet,
  nodes: readonly V1Node[],
  image: string,
): Promise<void> {
  const list = (kind: string) => ports.kube.list({ apiVersion: 'v1', kind }) as Promise<readonly unknown[]>
  const [pods, services] = await Promise.all([list('Pod'), list('Service')])
  const names = nodes.map(({ metadata }) => metadata?.name ?? '')
  const home = portNamespace(at, set.name)
  refuse(podHolders(set.ports, names, pods as readonly V1Pod[], home))
  refuse(serviceHolders(set.ports, services as readonly V1Service[]))
  for (const { metadata } of nodes.filter((node) => !isThere(node)))
    ports.report.warn(`Node ${metadata?.name} is not ready: whether its own processes have the port is not known`)
  const wanted = unserved(
    set,
    nodes,
    (pods as readonly V1Pod[]).filter(({ metadata }) => metadata?.namespace === home),
  )
  refuse(await processHolders(ports, at, image, wanted))
}

const isThere = ({ status }: V1Node): boolean =>
  ['True', undefined].includes(status?.conditions?.find(({ type }) => type === 'Ready')?.status)

/** Without what the set's own pods have: some runtimes listen for them. A node that is not ready runs no probe. */
function unserved({ ports }: PortSet, nodes: readonly V1Node[], own: readonly V1Pod[]): Wanted {
  const servedOn = (node: string | undefined) =>
    own.filter(({ spec }) => spec?.nodeName === node).flatMap((pod) => ownPorts(pod))
  return new Map(
    nodes.filter(isThere).map(({ metadata }) => {
      const served = servedOn(metadata?.name)
      return [metadata?.name ?? '', ports.filter(({ port }) => !served.includes(port))] as const
    }),
  )
}

function refuse(holders: readonly Holder[]): void {
  const [first] = holders
  if (first === undefined) return
  const others = holders.filter(({ port }) => port === first.port).map(({ what }) => what)
  throw conflictError('PORT_TAKEN', `port ${first.port} is taken by ${[...new Set(others)].join(', ')}`, {
    suggestions: ['choose another port', 'add --nodes SELECTOR, for nodes where it is free'],
    details: { holders },
  })
}
