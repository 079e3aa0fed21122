import type { V1Node, V1Pod, V1Service } from '@kubernetes/client-node'
import { DEVELOPERS, type Installation } from '../../domain/installation.ts'
import { isReady } from '../../domain/ready-pods.ts'
import type { IngressType } from '../../domain/settings.ts'
import type { OwnGateway } from '../../domain/stack/gateway-admission.ts'
import type { Kube, Ports } from '../../ports.ts'
import { gatewayPods } from './proxy.ts'

/** Whoever comes tries one after the other, so a few nodes are enough. */
const NODES = 3

/** Where the gateway can be reached from outside; none where only a port-forward leads there, or nothing does yet. */
export async function gatewayAddresses(
  ports: Pick<Ports, 'kube'>,
  own: OwnGateway,
  type: IngressType,
  outer: number,
): Promise<readonly string[]> {
  if (type === 'ClusterIP') return []
  if (type === 'HostPort') return hostAddresses(ports, own, outer)
  const service = await serviceOf(ports.kube, own.namespace, own.name)
  const balancers = (service?.status?.loadBalancer?.ingress ?? []).map(({ ip, hostname }) => ip ?? hostname ?? '')
  if (type === 'LoadBalancer' && balancers.length > 0) return balancers.map((host) => hostPort(host, outer))
  // A load balancer's Service has a node port as well, which serves where no load balancer comes.
  return nodePortAddresses(ports.kube, service)
}

/** Where the developers' port of the registry's proxy can be reached from outside. */
export const registryAddresses = async ({ kube }: Pick<Ports, 'kube'>, at: Installation): Promise<readonly string[]> =>
  at.onNodePort === true ? nodePortAddresses(kube, await serviceOf(kube, at.namespace, DEVELOPERS)) : []

async function nodePortAddresses(kube: Kube, service: V1Service | undefined): Promise<readonly string[]> {
  const port = service?.spec?.ports?.[0]?.nodePort
  if (port === undefined) return []
  return (await nodes(kube)).slice(0, NODES).map((node) => hostPort(addressOf(node), port))
}

const serviceOf = async (kube: Kube, namespace: string, name: string): Promise<V1Service | undefined> =>
  (await kube.get({ apiVersion: 'v1', kind: 'Service', namespace, name })) as unknown as V1Service | undefined

async function hostAddresses(ports: Pick<Ports, 'kube'>, own: OwnGateway, outer: number): Promise<readonly string[]> {
  const names = (await gatewayPods(ports, own)).filter(isReady).map((pod: V1Pod) => pod.spec?.nodeName)
  const found = (await nodes(ports.kube)).filter((node) => names.includes(node.metadata?.name))
  return found.map((node) => hostPort(addressOf(node), outer))
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
