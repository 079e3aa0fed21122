import { REGISTRY } from '../attacks/kit.ts'
import { kubectlOk } from '../cluster.ts'
import { EXPOSE } from './stage.ts'

/** What the pods of the exposing gateway are known by. */
export const gatewayLabels = { app: 'registry-expose', istio: 'registry-expose' }

const SERVICE = `${REGISTRY}.${REGISTRY}.svc.cluster.local`

/** A Gateway with a port of its own, by whatever pods it gets hold of. */
export const openGateway = (namespace: string, name: string, selector?: object, annotations = {}): object => ({
  apiVersion: 'networking.istio.io/v1',
  kind: 'Gateway',
  metadata: { namespace, name, annotations },
  spec: {
    ...(selector === undefined ? {} : { selector }),
    servers: [{ port: { number: 8081, name: 'http', protocol: 'HTTP' }, hosts: ['*'] }],
  },
})

/** Every way to attach to the exposing gateway, by its name. */
export const attachments = (namespace: string): Readonly<Record<string, object>> => ({
  label: openGateway(namespace, 'label', { app: gatewayLabels.app }),
  labels: openGateway(namespace, 'labels', gatewayLabels),
  none: openGateway(namespace, 'none'),
  empty: openGateway(namespace, 'empty', {}),
  cluster: openGateway(namespace, 'cluster', { 'topology.istio.io/cluster': 'Kubernetes' }),
  team: openGateway(namespace, 'team', { team: 'a' }),
  service: openGateway(
    namespace,
    'service',
    { app: 'theirs' },
    { 'internal.istio.io/gateway-service': `registry-expose.${EXPOSE}.svc.cluster.local` },
  ),
})

/** Routes for our own Gateway, from another namespace: one asks for another path, one answers itself, one drops the mTLS behind it. */
export async function foreignRoutes(
  namespace: string,
  hosts: readonly string[],
  rewrite: object,
): Promise<readonly object[]> {
  const gateways = await kubectlOk(['get', 'gateways.networking.istio.io', '-n', EXPOSE, '-o', 'name'])
  const ours = gateways.split('\n')[0]?.split('/')[1]
  const route = (name: string, http: object) => ({
    apiVersion: 'networking.istio.io/v1',
    kind: 'VirtualService',
    metadata: { namespace, name },
    spec: { hosts, gateways: [`${EXPOSE}/${ours}`], exportTo: ['*'], http: [http] },
  })
  return [
    route('rewriting', { rewrite, route: [{ destination: { host: SERVICE, port: { number: 5000 } } }] }),
    route('answering', { directResponse: { status: 299, body: { string: 'poisoned' } } }),
    {
      apiVersion: 'networking.istio.io/v1',
      kind: 'DestinationRule',
      metadata: { namespace, name: 'plain' },
      spec: { host: SERVICE, exportTo: ['*'], trafficPolicy: { tls: { mode: 'DISABLE' } } },
    },
  ]
}
