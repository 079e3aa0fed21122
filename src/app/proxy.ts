import type { V1Pod } from '@kubernetes/client-node'
import { type ActiveConfig, activeConfig } from '../domain/envoy/active-config.ts'
import { type Installation, NODE_PROXY, nodeNamespace, REGISTRY } from '../domain/installation.ts'
import { clusterError } from '../errors.ts'
import type { Ports } from '../ports.ts'

const POD = { apiVersion: 'v1', kind: 'Pod' } as const

export const isReady = (pod: V1Pod): boolean =>
  pod.metadata?.deletionTimestamp === undefined &&
  (pod.status?.conditions ?? []).some((condition) => condition.type === 'Ready' && condition.status === 'True')

export async function registryPods(ports: Pick<Ports, 'kube'>, at: Pick<Installation, 'namespace'>): Promise<readonly V1Pod[]> {
  return (await ports.kube.list(POD, { namespace: at.namespace, labelSelector: `app=${REGISTRY}` })) as unknown as V1Pod[]
}

export async function nodeProxyPods(ports: Pick<Ports, 'kube'>, at: Pick<Installation, 'namespace'>): Promise<readonly V1Pod[]> {
  return (await ports.kube.list(POD, { namespace: nodeNamespace(at), labelSelector: `app=${NODE_PROXY}` })) as unknown as V1Pod[]
}

/** What a proxy's own Envoy has in force: istiod's view shows no rejection. */
export async function proxyConfig(ports: Ports, pod: V1Pod, port: number): Promise<ActiveConfig> {
  return activeConfig(await askProxy(ports, pod, 'config_dump?resource=dynamic_listeners'), port)
}

async function askProxy(ports: Ports, pod: V1Pod, path: string): Promise<string> {
  const { namespace = '', name = '' } = pod.metadata ?? {}
  const result = await ports.pods.exec(namespace, name, 'istio-proxy', ['pilot-agent', 'request', 'GET', path, ...adminPort(pod)], ports.signal)
  if (result.exitCode === 0) return result.stdout
  throw clusterError('PROXY_SILENT', `the proxy of pod ${namespace}/${name} did not answer "${path}": ${result.stderr.trim()}`, {
    suggestions: [`kubectl logs -n ${namespace} ${name} -c istio-proxy`],
  })
}

/** The node proxy's admin port is not the usual one. */
function adminPort(pod: V1Pod): readonly string[] {
  const container = pod.spec?.containers.find((candidate) => candidate.name === 'istio-proxy')
  const config = container?.env?.find((variable) => variable.name === 'PROXY_CONFIG')?.value ?? '{}'
  const port = (JSON.parse(config) as { proxyAdminPort?: number }).proxyAdminPort
  return port === undefined ? [] : ['--debug-port', String(port)]
}
