import type { Installation } from '../../domain/installation.ts'
import { describeRef, type KubeObject, refOf } from '../../domain/kube-object.ts'
import { type Attached, attachedTo } from '../../domain/open-ports/attached.ts'
import { guardedSet, portNamespace } from '../../domain/open-ports/place.ts'
import type { PortSet } from '../../domain/open-ports/port-set.ts'
import type { Ports } from '../../ports.ts'
import { foreignGateways } from '../cluster/gateway.ts'
import { portPods } from '../cluster/proxy.ts'
import { type Problem, Problems } from '../inspect/problems.ts'
import { readSets } from './ledger.ts'
import { type NodeState, nodeStates, nodesOf } from './node-states.ts'

export type PortState = {
  readonly port: number
  readonly targetPort: number
  readonly address: 'all' | 'loopback'
  readonly name: string
  readonly namespace: string
  /** Label selector of the nodes; empty for all. */
  readonly selector: string
  readonly gatewaysFrom: readonly string[]
  readonly nodes: readonly NodeState[]
  /** The Gateways that serve by it. */
  readonly gateways: readonly Attached[]
}

export type OpenPorts = { readonly ports: readonly PortState[]; readonly problems: readonly Problem[] }

/** Every open port: where it is, and who uses it. */
export async function openPorts(ports: Ports, at: Installation): Promise<OpenPorts> {
  const { kube } = ports
  const sets = await readSets(kube, at)
  if (sets.length === 0) return { ports: [], problems: [] }
  const gateways = await kube.list({ apiVersion: 'networking.istio.io/v1', kind: 'Gateway' })
  const states: PortState[] = []
  const problems = new Problems()
  for (const set of sets) states.push(...(await statesOf(ports, at, set, gateways, problems)))
  return { ports: states.sort((one, other) => one.port - other.port), problems: problems.found }
}

async function statesOf(
  ports: Ports,
  at: Installation,
  set: PortSet,
  gateways: readonly KubeObject[],
  problems: Problems,
): Promise<readonly PortState[]> {
  const pods = await portPods(ports, at, set.name)
  const nodes = await nodeStates(ports, at, set, await nodesOf(ports, set))
  const down = nodes.filter(({ ready }) => !ready).map(({ node }) => node)
  const numbers = set.ports.map(({ port }) => port).join(', ')
  if (nodes.length === 0) problems.say(`port ${numbers} is open on no node: none matches`, 'regctl ports')
  if (down.length > 0)
    problems.say(
      `the gateway of port ${numbers} is not ready on node ${down.join(', ')}`,
      `kubectl get pods -n ${portNamespace(at, set.name)} -o wide`,
    )
  for (const gateway of (await foreignGateways(ports, guardedSet(at, set), pods)).attached) {
    const { name, namespace } = gateway.metadata
    problems.say(
      `${describeRef(refOf(gateway))} attaches to port ${numbers}, and its namespace is not named for it`,
      `kubectl delete gateways.networking.istio.io -n ${namespace} ${name}`,
    )
  }
  const labels = pods.map(({ metadata }) => metadata?.labels ?? {})
  return set.ports.map((port) => ({
    ...port,
    name: set.name,
    namespace: portNamespace(at, set.name),
    selector: set.nodes,
    gatewaysFrom: set.gatewaysFrom,
    nodes,
    gateways: attachedTo(set, port, gateways, labels),
  }))
}
