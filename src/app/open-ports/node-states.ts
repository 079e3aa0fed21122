import type { V1Node } from '@kubernetes/client-node'
import type { Installation } from '../../domain/installation.ts'
import { isUntainted } from '../../domain/open-ports/holders.ts'
import { addressesOf } from '../../domain/open-ports/node-address.ts'
import type { PortSet } from '../../domain/open-ports/port-set.ts'
import { isReady } from '../../domain/ready-pods.ts'
import type { Ports } from '../../ports.ts'
import { portPods } from '../cluster/proxy.ts'

export type NodeState = {
  readonly node: string
  readonly ready: boolean
  /** Where it is reached from outside, or from its own network where nothing else is known. */
  readonly addresses: readonly string[]
}

/** The nodes a set is meant for: those that match, or all where taints do not say otherwise. */
export async function nodesOf({ kube }: Pick<Ports, 'kube'>, { nodes }: PortSet): Promise<readonly V1Node[]> {
  const options = nodes === '' ? {} : { labelSelector: nodes }
  const all = (await kube.list({ apiVersion: 'v1', kind: 'Node' }, options)) as unknown as readonly V1Node[]
  return nodes === '' ? all.filter(isUntainted) : all
}

/** How each node of a set is. */
export async function nodeStates(
  ports: Pick<Ports, 'kube'>,
  at: Pick<Installation, 'namespace'>,
  { name }: PortSet,
  nodes: readonly V1Node[],
): Promise<readonly NodeState[]> {
  const pods = await portPods(ports, at, name)
  return nodes.map((node) => ({
    node: node.metadata?.name ?? '',
    ready: pods.some((pod) => pod.spec?.nodeName === node.metadata?.name && isReady(pod)),
    addresses: addressesOf(node),
  }))
}
