import type { Installation } from '../installation.ts'
import type { KubeObject } from '../kube-object.ts'
import { gatewayName, portNamespace } from './place.ts'
import type { PortSet } from './port-set.ts'

/** Ports on which clients expect TLS. */
const TLS = new Set([443, 8443])

/** What the example's TLS Secret is called, where it has one. */
export const exampleSecret = (port: number): string | undefined => (TLS.has(port) ? 'app-example-com' : undefined)

/** Where an example's Gateway goes: to the first namespace that was named for it, or to the gateway's own. */
export const exampleNamespace = (at: Pick<Installation, 'namespace'>, set: PortSet): string =>
  set.gatewaysFrom[0] ?? portNamespace(at, set.name)

/** A Gateway and a VirtualService for one host on the port, to be changed and applied. */
export function example(
  at: Pick<Installation, 'namespace' | 'clusterDomain'>,
  set: PortSet,
  port: number,
): readonly KubeObject[] {
  const metadata = { name: 'app', namespace: exampleNamespace(at, set) }
  const secret = exampleSecret(port)
  const host = 'app.example.com'
  const service = `app.${set.gatewaysFrom[0] ?? 'default'}.svc.${at.clusterDomain}`
  return [
    {
      apiVersion: 'networking.istio.io/v1',
      kind: 'Gateway',
      metadata,
      spec: {
        selector: { app: gatewayName(set.name) },
        servers: [
          {
            port: { number: port, name: `port-${port}`, protocol: secret === undefined ? 'HTTP' : 'HTTPS' },
            // Only VirtualServices of the same namespace.
            hosts: [`./${host}`],
            ...(secret === undefined ? {} : { tls: { mode: 'SIMPLE', credentialName: secret } }),
          },
        ],
      },
    },
    {
      apiVersion: 'networking.istio.io/v1',
      kind: 'VirtualService',
      metadata,
      spec: {
        hosts: [host],
        gateways: ['app'],
        http: [{ route: [{ destination: { host: service, port: { number: 80 } } }] }],
      },
    },
  ]
}
