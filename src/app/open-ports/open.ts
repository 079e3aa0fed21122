import { isDeepStrictEqual } from 'node:util'
import { type Installation, nodeNamespace } from '../../domain/installation.ts'
import type { KubeObject } from '../../domain/kube-object.ts'
import { example, exampleSecret } from '../../domain/open-ports/example.ts'
import { type Firewall, firewallOf } from '../../domain/open-ports/firewall.ts'
import { nodeExpressions } from '../../domain/open-ports/node-selector.ts'
import { gatewayName, portHost, portNamespace } from '../../domain/open-ports/place.ts'
import { type PortRequest, type PortSet, withPort } from '../../domain/open-ports/port-set.ts'
import { setObjects } from '../../domain/open-ports/set-objects.ts'
import type { OpenPortPorts, Ports, Right } from '../../ports.ts'
import { type Installed, requireInstalled } from '../cluster/installed.ts'
import { requireRights } from '../install/preflight.ts'
import { checkGateways, checkNamespaces, checkOwnership, checkPorts, requireNodes } from './check.ts'
import { changeSets, readSets } from './ledger.ts'
import { making } from './making.ts'
import { type NodeState, nodeStates, nodesOf } from './node-states.ts'
import { rollOut } from './roll-out.ts'
import type { Making } from './settle.ts'

export type OpenPortResult = {
  readonly port: number
  readonly targetPort: number
  readonly address: 'all' | 'loopback'
  readonly name: string
  /** Where the gateway runs, and its TLS Secrets are. */
  readonly namespace: string
  /** The gateway's own name in the mesh. */
  readonly host: string
  readonly gatewaysFrom: readonly string[]
  readonly nodes: readonly NodeState[]
  /** What the names that are served have to lead to. */
  readonly dns: readonly string[]
  readonly firewall: Firewall | null
  /** A Gateway and a VirtualService to begin with. */
  readonly example: readonly KubeObject[]
  /** Name of the TLS Secret that the example has; it belongs in `namespace`. */
  readonly secret: string | null
  readonly changed: boolean
}

/** Refuses what is wrong by itself, before the cluster is asked anything. */
export function checkRequest(request: PortRequest, namespace: string): void {
  withPort({ namespace, port: 5000 }, [], request)
  nodeExpressions(request.nodes ?? '')
}

/** Checks first, writes then, waits until every node serves: what is refused leaves nothing. */
export async function openPort(
  ports: OpenPortPorts,
  namespace: string,
  request: PortRequest,
  timeoutMs: number,
): Promise<OpenPortResult> {
  const { kube, report } = ports
  const installed = await requireInstalled(kube, namespace)
  const { at } = installed
  const { name: asked, made } = await report.step('Look at the cluster and its nodes', (note) =>
    check(ports, installed, request, note),
  )
  const { before, after } = await changeSets(kube, at, (sets) => withPort(at, sets, request).sets)
  const set = after.find(({ name }) => name === asked) as PortSet
  await report.step(`Open port ${request.port}`, (note) => rollOut(ports, at, set.name, made, timeoutMs, note))
  return resultOf(ports, at, set, request.port, !isDeepStrictEqual(before, after))
}

async function check(
  ports: OpenPortPorts,
  { at, settings }: Installed,
  request: PortRequest,
  note: (text: string) => void,
): Promise<{ readonly name: string; readonly made: Making }> {
  const { set } = withPort(at, await readSets(ports.kube, at), request)
  await requireRights(ports.kube, neededRights(at, set))
  const nodes = await requireNodes(ports, set)
  await checkNamespaces(ports, at, set)
  const made = await making(ports, at, settings.revision)
  const { injection, admissionPolicies } = made
  await checkOwnership(ports, at, setObjects(at, set, injection, admissionPolicies))
  await checkGateways(ports, at, set, admissionPolicies)
  note(`ports of ${nodes.length} node${nodes.length === 1 ? '' : 's'}`)
  await checkPorts(ports, at, set, nodes, settings.image)
  return { name: set.name, made }
}

function neededRights(at: Installation, { name }: PortSet): readonly Right[] {
  const home = portNamespace(at, name)
  const patch = (group: string, resource: string): Right => ({ verb: 'patch', group, resource, namespace: home })
  return [
    { verb: 'patch', group: '', resource: 'namespaces' },
    { verb: 'patch', group: '', resource: 'configmaps', namespace: at.namespace },
    patch('', 'serviceaccounts'),
    patch('', 'services'),
    patch('apps', 'daemonsets'),
    patch('rbac.authorization.k8s.io', 'roles'),
    patch('rbac.authorization.k8s.io', 'rolebindings'),
    { verb: 'patch', group: 'admissionregistration.k8s.io', resource: 'validatingadmissionpolicies' },
    { verb: 'create', group: 'batch', resource: 'jobs', namespace: nodeNamespace(at) },
    { verb: 'list', group: '', resource: 'nodes' },
    { verb: 'list', group: '', resource: 'pods' },
  ]
}

async function resultOf(
  ports: Ports,
  at: Installation,
  set: PortSet,
  port: number,
  changed: boolean,
): Promise<OpenPortResult> {
  const nodes = await nodesOf(ports, set)
  const states = await nodeStates(ports, at, set, nodes)
  const open = set.ports.find((one) => one.port === port)
  const isPublic = open?.address !== 'loopback'
  return {
    port,
    targetPort: open?.targetPort ?? port,
    address: open?.address ?? 'all',
    name: set.name,
    namespace: portNamespace(at, set.name),
    host: portHost(at, set.name),
    gatewaysFrom: set.gatewaysFrom,
    nodes: states,
    dns: isPublic ? states.filter(({ ready }) => ready).flatMap(({ addresses }) => addresses) : [],
    firewall: (isPublic ? firewallOf(nodes, port, `${gatewayName(set.name)}-${port}`) : undefined) ?? null,
    example: example(at, set, port),
    secret: exampleSecret(port) ?? null,
    changed,
  }
}
