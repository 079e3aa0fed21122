import { execa } from 'execa'

const NAMESPACE = 'regctl-bench-open'
const NODE_PORT = 30_500

export type OpenRegistry = AsyncDisposable & {
  /** On the loopback of every node, by kube-proxy. */
  readonly port: number
  /** What `kubectl port-forward` takes. */
  readonly target: readonly string[]
}

/** The usual way: a registry in the cluster that anybody may write, without a mesh. */
export async function openRegistry(image: string): Promise<OpenRegistry> {
  const metadata = { name: 'registry', namespace: NAMESPACE }
  const labels = { app: 'registry' }
  const items = [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } },
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata,
      spec: {
        selector: { matchLabels: labels },
        template: {
          metadata: { labels },
          spec: {
            terminationGracePeriodSeconds: 1,
            containers: [{ name: 'registry', image, readinessProbe: { httpGet: { path: '/v2/', port: 5000 } } }],
          },
        },
      },
    },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata,
      spec: { type: 'NodePort', selector: labels, ports: [{ port: 5000, nodePort: NODE_PORT }] },
    },
  ]
  await execa('kubectl', ['apply', '-f', '-'], { input: JSON.stringify({ apiVersion: 'v1', kind: 'List', items }) })
  await execa('kubectl', ['rollout', 'status', '-n', NAMESPACE, 'deployment/registry', '--timeout=60s'])
  return {
    port: NODE_PORT,
    target: ['-n', NAMESPACE, 'deployment/registry'],
    [Symbol.asyncDispose]: async () => {
      await execa('kubectl', ['delete', 'namespace', NAMESPACE])
    },
  }
}
