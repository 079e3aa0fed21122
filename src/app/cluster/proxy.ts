import type { V1Pod } from '@kubernetes/client-node'
import { type ActiveConfig, activeConfig } from '../../domain/envoy/active-config.ts'
import { type Installation, NODE_PROXY, nodeNamespace, REGISTRY } from '../../domain/installation.ts'
import { isPortNamespace, PORT_SET_LABEL, portNamespace } from '../../domain/open-ports/place.ts'
import { developerGateway, exposingGateway, type OwnGateway } from '../../domain/stack/gateway-admission.ts'
import { clusterError } from '../../errors.ts'
import type { ExecResult, Ports } from '../../ports.ts'

const POD = { apiVersion: 'v1', kind: 'Pod' } as const

export async function registryPods(
  ports: Pick<Ports, 'kube'>,
  at: Pick<Installation, 'namespace'>,
): Promise<readonly V1Pod[]> {
  return (await ports.kube.list(POD, {
    namespace: at.namespace,
    labelSelector: `app=${REGISTRY}`,
  })) as unknown as V1Pod[]
}

export async function nodeProxyPods(
  ports: Pick<Ports, 'kube'>,
  at: Pick<Installation, 'namespace'>,
): Promise<readonly V1Pod[]> {
  return (await ports.kube.list(POD, {
    namespace: nodeNamespace(at),
    labelSelector: `app=${NODE_PROXY}`,
  })) as unknown as V1Pod[]
}

export async function gatewayPods(
  ports: Pick<Ports, 'kube'>,
  { namespace, name }: Pick<OwnGateway, 'namespace' | 'name'>,
): Promise<readonly V1Pod[]> {
  return (await ports.kube.list(POD, { namespace, labelSelector: `app=${name}` })) as unknown as V1Pod[]
}

/** Pods of open ports: of one set, or of all. */
export async function portPods(
  ports: Pick<Ports, 'kube'>,
  at: Pick<Installation, 'namespace'>,
  set?: string,
): Promise<readonly V1Pod[]> {
  const labelSelector = set === undefined ? PORT_SET_LABEL : `${PORT_SET_LABEL}=${set}`
  const inside = set === undefined ? {} : { namespace: portNamespace(at, set) }
  const pods = (await ports.kube.list(POD, { ...inside, labelSelector })) as unknown as V1Pod[]
  // Whoever makes pods may put the label on them, but not in a namespace of ours.
  return pods.filter(({ metadata }) => isPortNamespace(at, metadata?.namespace ?? ''))
}

/** Every pod of the installation. */
export async function podsOf(
  ports: Pick<Ports, 'kube'>,
  at: Pick<Installation, 'namespace'>,
): Promise<readonly V1Pod[]> {
  const lists = await Promise.all([
    registryPods(ports, at),
    nodeProxyPods(ports, at),
    gatewayPods(ports, developerGateway(at)),
    gatewayPods(ports, exposingGateway(at)),
    portPods(ports, at),
  ])
  return lists.flat()
}

/** What a proxy's own Envoy has in force: istiod's view shows no rejection. */
export async function proxyConfig(ports: Ports, pod: V1Pod, port: number): Promise<ActiveConfig> {
  return activeConfig(await listenersOf(ports, pod), port)
}

/** Envoy's own account of its listeners, for domain/envoy to read. */
export const listenersOf = (ports: Ports, pod: V1Pod): Promise<string> =>
  askProxy(ports, pod, 'config_dump?resource=dynamic_listeners')

/** The routes that go with them. */
export const routesOf = (ports: Ports, pod: V1Pod): Promise<string> =>
  askProxy(ports, pod, 'config_dump?resource=dynamic_route_configs')

async function askProxy(ports: Ports, pod: V1Pod, path: string): Promise<string> {
  const { namespace = '', name = '' } = pod.metadata ?? {}
  const admin = ownAdminPort(pod)
  const answer =
    admin === undefined
      ? await ports.pods.exec(namespace, name, 'istio-proxy', ['pilot-agent', 'request', 'GET', path], ports.signal)
      : await throughForward(ports, pod, admin, path)
  if (answer.exitCode === 0) return answer.stdout
  throw clusterError(
    'PROXY_SILENT',
    `the proxy of pod ${namespace}/${name} did not answer "${path}": ${answer.stderr.trim()}`,
    {
      suggestions: [`kubectl logs -n ${namespace} ${name} -c istio-proxy`],
    },
  )
}

/** pilot-agent asks the usual admin port only, and the node proxy's is another. */
async function throughForward(ports: Ports, pod: V1Pod, port: number, path: string): Promise<ExecResult> {
  const { namespace = '', name = '' } = pod.metadata ?? {}
  const { status, body } = await ports.pods.request(
    namespace,
    name,
    port,
    { method: 'GET', path: `/${path}` },
    ports.signal,
  )
  return { stdout: body, stderr: `status ${status}`, exitCode: status === 200 ? 0 : 1 }
}

function ownAdminPort(pod: V1Pod): number | undefined {
  const container = pod.spec?.containers.find((candidate) => candidate.name === 'istio-proxy')
  const config = container?.env?.find((variable) => variable.name === 'PROXY_CONFIG')?.value ?? '{}'
  return (JSON.parse(config) as { proxyAdminPort?: number }).proxyAdminPort
}
