import { type Cluster, kubectl, regctlJson } from './cluster.ts'
import { MARK } from './manifests.ts'

/** Everything the story names: its namespaces, the repository, the nodes, the registry. */
export type Places = {
  /** May push, by a grant. */
  readonly builder: string
  /** Has Istio identities, but no grant. */
  readonly stranger: string
  /** Runs the image; its pods are outside of the mesh. */
  readonly app: string
  /** Repository of the grant. */
  readonly repository: string
  readonly nodes: readonly { readonly name: string; readonly ip: string }[]
  /** The registry ran before. */
  readonly installed: boolean
}

const PREFIXES = ['example', 'demo', 'regctl-demo']

/** Names that are free; what an interrupted demo left under them is removed first. */
export async function findPlaces(cluster: Cluster): Promise<Places> {
  const left = await kubectl(cluster, ['get', 'namespaces', '-l', MARK, '-o', 'name'])
  if (left.trim() !== '') await kubectl(cluster, ['delete', ...left.trim().split('\n'), '--timeout=120s'])
  const all = new Set((await kubectl(cluster, ['get', 'namespaces', '-o', 'name'])).trim().split('\n'))
  const namesOf = (prefix: string) => ['builder', 'stranger', 'app'].map((role) => `${prefix}-${role}`)
  const prefix = PREFIXES.find((candidate) => namesOf(candidate).every((name) => !all.has(`namespace/${name}`)))
  if (prefix === undefined)
    throw new Error(`namespaces ${PREFIXES.map((one) => `${one}-*`).join(', ')} are all taken: delete one set of them`)
  return {
    builder: `${prefix}-builder`,
    stranger: `${prefix}-stranger`,
    app: `${prefix}-app`,
    repository: prefix,
    nodes: await twoNodes(cluster),
    installed: (await regctlJson(cluster, ['status'])) !== undefined,
  }
}

type Node = {
  readonly metadata: { readonly name: string }
  readonly spec: { readonly unschedulable?: boolean; readonly taints?: readonly { readonly effect: string }[] }
  readonly status: {
    readonly addresses: readonly { readonly type: string; readonly address: string }[]
    readonly conditions: readonly { readonly type: string; readonly status: string }[]
  }
}

async function twoNodes(cluster: Cluster): Promise<Places['nodes']> {
  const { items } = JSON.parse(await kubectl(cluster, ['get', 'nodes', '-o', 'json'])) as { items: Node[] }
  const isReady = ({ status }: Node) => status.conditions.some((one) => one.type === 'Ready' && one.status === 'True')
  // A pod with a nodeName skips the scheduler, but not a NoExecute taint.
  const ready = items.filter((node) => isReady(node) && !node.spec.taints?.some(({ effect }) => effect === 'NoExecute'))
  return ready.slice(0, 2).map(({ metadata, status }) => ({
    name: metadata.name,
    ip: status.addresses.find(({ type }) => type === 'InternalIP')?.address ?? '',
  }))
}
