import { apply, namespace, ready, remove } from '../attacks/kit.ts'
import { getJson } from '../clients.ts'
import { type Certificate, secretOf } from './certificate.ts'

/** A shared ingress gateway, as clusters have them: any host, with TLS and without, for VirtualServices of all namespaces. */
export const FRONT = 'e2e-front'

const labels = { istio: 'e2e-front' }
const server = (number: number, protocol: string, more: object) => ({
  port: { number, name: protocol.toLowerCase(), protocol },
  hosts: ['*'],
  ...more,
})

export async function startFront(own: Certificate): Promise<void> {
  await remove('namespace', [FRONT])
  const metadata = (name: string, more: object = {}) => ({ namespace: FRONT, name, ...more })
  const rbac = 'rbac.authorization.k8s.io'
  await apply(namespace(FRONT, false))
  await secretOf(FRONT, 'wildcard', own)
  await apply(
    {
      apiVersion: `${rbac}/v1`,
      kind: 'Role',
      metadata: metadata('certificates'),
      rules: [{ apiGroups: [''], resources: ['secrets'], verbs: ['list'] }],
    },
    {
      apiVersion: `${rbac}/v1`,
      kind: 'RoleBinding',
      metadata: metadata('certificates'),
      roleRef: { apiGroup: rbac, kind: 'Role', name: 'certificates' },
      subjects: [{ kind: 'ServiceAccount', name: 'default', namespace: FRONT }],
    },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: metadata('front'),
      spec: {
        type: 'NodePort',
        selector: labels,
        ports: [
          { name: 'https', port: 443, targetPort: 8443 },
          { name: 'http', port: 80, targetPort: 8080 },
        ],
      },
    },
    {
      apiVersion: 'networking.istio.io/v1',
      kind: 'Gateway',
      metadata: metadata('main'),
      spec: {
        selector: labels,
        servers: [
          server(443, 'HTTPS', { tls: { mode: 'SIMPLE', credentialName: 'wildcard' } }),
          server(80, 'HTTP', {}),
        ],
      },
    },
    {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: metadata('front', {
        labels: { ...labels, 'sidecar.istio.io/inject': 'true' },
        annotations: { 'inject.istio.io/templates': 'gateway' },
      }),
      spec: {
        terminationGracePeriodSeconds: 0,
        containers: [{ name: 'istio-proxy', image: 'auto', imagePullPolicy: 'IfNotPresent' }],
      },
    },
  )
  await ready(FRONT, 'front')
}

type Service = { readonly spec: { readonly ports: readonly { readonly name: string; readonly nodePort: number }[] } }

export async function frontPort(name: 'https' | 'http'): Promise<number> {
  const { spec } = await getJson<Service>('service', '-n', FRONT, 'front')
  return spec.ports.find((port) => port.name === name)?.nodePort ?? 0
}
