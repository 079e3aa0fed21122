import type { V1Node, V1Pod, V1Service } from '@kubernetes/client-node'
import { INGRESS, INGRESS_PORT, type Installation, ingressNamespace } from '../../domain/installation.ts'
import { isReady } from '../../domain/ready-pods.ts'
import { ingressType, type Settings } from '../../domain/settings.ts'
import type { DeveloperAccess } from '../../domain/stack/developer-access.ts'
import type { MeshFacts } from '../../domain/stack/mesh-facts.ts'
import type { Kube, Ports } from '../../ports.ts'
import { meshRoots } from './mesh.ts'
import { ingressPods } from './proxy.ts'

/** A developer tries one after the other, so a few nodes are enough. */
const NODES = 3

/** What developers have to know, as the cluster is now. */
export async function developerAccess(
  ports: Ports,
  at: Installation,
  settings: Settings,
  mesh: Pick<MeshFacts, 'proxy' | 'authority'> & { readonly trustDomain: string },
): Promise<DeveloperAccess> {
  return {
    addresses: await gatewayAddresses(ports, at, settings),
    roots: await meshRoots(ports, mesh.proxy),
    trustDomain: mesh.trustDomain,
    clusterDomain: at.clusterDomain,
    port: at.port,
    authority: mesh.authority.host,
  }
}

/** Where the gateway can be reached from outside; none where only a port-forward leads there, or nothing does yet. */
export async function gatewayAddresses(ports: Ports, at: Installation, settings: Settings): Promise<readonly string[]> {
  const type = ingressType(settings)
  if (type === 'ClusterIP') return []
  if (type === 'HostPort') return hostAddresses(ports, at)
  const service = await gatewayService(ports.kube, at)
  const balancers = (service?.status?.loadBalancer?.ingress ?? []).map(({ ip, hostname }) => ip ?? hostname ?? '')
  if (type === 'LoadBalancer' && balancers.length > 0) return balancers.map((host) => hostPort(host, INGRESS_PORT))
  // A load balancer's Service has a node port as well, which serves where no load balancer comes.
  const port = service?.spec?.ports?.[0]?.nodePort
  if (port === undefined) return []
  return (await nodes(ports.kube)).slice(0, NODES).map((node) => hostPort(addressOf(node), port))
}

export async function gatewayService(kube: Kube, at: Installation): Promise<V1Service | undefined> {
  const ref = { apiVersion: 'v1', kind: 'Service', namespace: ingressNamespace(at), name: INGRESS }
  return (await kube.get(ref)) as unknown as V1Service | undefined
}

async function hostAddresses(ports: Ports, at: Installation): Promise<readonly string[]> {
  const names = (await ingressPods(ports, at)).filter(isReady).map((pod: V1Pod) => pod.spec?.nodeName)
  const found = (await nodes(ports.kube)).filter((node) => names.includes(node.metadata?.name))
  return found.map((node) => hostPort(addressOf(node), INGRESS_PORT))
}

/** Ready ones, the oldest first: they are the likeliest to stay. */
async function nodes(kube: Kube): Promise<readonly V1Node[]> {
  const all = (await kube.list({ apiVersion: 'v1', kind: 'Node' })) as unknown as V1Node[]
  const key = ({ metadata }: V1Node) => `${String(metadata?.creationTimestamp)} ${metadata?.name}`
  return all
    .filter((node) => addressOf(node) !== '')
    .filter(({ status }) => status?.conditions?.find(({ type }) => type === 'Ready')?.status !== 'False')
    .sort((one, other) => (key(one) < key(other) ? -1 : 1))
}

function addressOf({ status }: V1Node): string {
  const of = (type: string) => status?.addresses?.find((one) => one.type === type)?.address
  return of('ExternalIP') ?? of('InternalIP') ?? ''
}

const hostPort = (host: string, port: number): string => `${host.includes(':') ? `[${host}]` : host}:${port}`
