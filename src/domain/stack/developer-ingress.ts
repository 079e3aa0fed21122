import {
  DEVELOPERS,
  developerHost,
  developerPort,
  INGRESS,
  INGRESS_PORT,
  type Installation,
  ingressNamespace,
  ownerLabels,
} from '../installation.ts'
import type { KubeObject } from '../kube-object.ts'
import { developerRoles } from '../policy/developer.ts'
import { ingressType, type Settings } from '../settings.ts'
import { accessObject, type DeveloperAccess, registrySni } from './developer-access.ts'
import { developerGateway, gatewayLabels, gatewayPolicy } from './gateway-admission.ts'
import { gatewayWorkload } from './gateway-workload.ts'
import { mutualTls } from './mesh.ts'
import type { MeshFacts } from './mesh-facts.ts'
import { placed } from './registry.ts'

/** The developers' way in: a gateway of its own that passes two names on and ends no TLS. */
export function developerIngress(
  at: Installation,
  settings: Settings,
  mesh: Pick<MeshFacts, 'authority' | 'admissionPolicies' | 'proxy'>,
  /** The objects of assets/manifests/gateway.yaml. */
  shipped: readonly KubeObject[],
  access: DeveloperAccess,
): readonly KubeObject[] {
  const own = developerGateway(at)
  const { revision } = settings
  const reach = { type: ingressType(settings), port: INGRESS_PORT, podPort: INGRESS_PORT, revision }
  return [
    ...gatewayWorkload(at, own, reach, mesh, shipped),
    ...developerRoles(at),
    ...(mesh.admissionPolicies ? gatewayPolicy(at, own) : []),
    gateway(at, mesh.authority),
    authorityRoute(at, mesh.authority),
    authorityAsItIs(at, mesh.authority),
    accessObject(at, access),
  ]
}

/** What leads to the port of the registry's proxy for those outside; of assets/manifests/developer-ingress.yaml. */
export const outsidePort = (at: Installation, shipped: readonly KubeObject[]): readonly KubeObject[] => [
  ...shipped.map((object) => placed(at, object)).map((object) => developersService(object, at)),
  mutualTls(at, developerHost(at)),
]

function developersService(object: KubeObject, at: Installation): KubeObject {
  if (object.metadata.name !== DEVELOPERS) return object
  const port = developerPort(at)
  const spec = object.spec as { readonly ports: readonly object[] }
  const ports = spec.ports.map((one) => ({ ...one, port, targetPort: port }))
  // Where nodes have a port for the gateway, one for the registry costs nothing more and saves the gateway's hop.
  const type = at.onNodePort === true ? 'NodePort' : 'ClusterIP'
  return { ...object, spec: { ...spec, type, ports } }
}

const meta = (at: Installation, name: string) => ({
  name,
  namespace: ingressNamespace(at),
  labels: ownerLabels(at),
})

/** `./`: only VirtualServices of the gateway's own namespace attach. */
function gateway(at: Installation, { host }: MeshFacts['authority']): KubeObject {
  const server = (name: string, mode: string, to: string) => ({
    port: { number: INGRESS_PORT, name, protocol: 'TLS' },
    tls: { mode },
    hosts: [`./${to}`],
  })
  return {
    apiVersion: 'networking.istio.io/v1',
    kind: 'Gateway',
    metadata: meta(at, INGRESS),
    spec: {
      selector: gatewayLabels(developerGateway(at)),
      servers: [
        server('tls-registry', 'AUTO_PASSTHROUGH', developerHost(at)),
        server('tls-authority', 'PASSTHROUGH', host),
      ],
    },
  }
}

/** The name in the certificate authority's certificate leads to it, and nowhere else. */
function authorityRoute(at: Installation, authority: MeshFacts['authority']): KubeObject {
  const { host, port } = authority
  return {
    apiVersion: 'networking.istio.io/v1',
    kind: 'VirtualService',
    metadata: meta(at, 'certificate-authority'),
    spec: {
      hosts: [host],
      gateways: [INGRESS],
      exportTo: ['.'],
      tls: [
        {
          match: [{ port: INGRESS_PORT, sniHosts: [host] }],
          route: [{ destination: { host: authorityService(at, authority), port: { number: port } } }],
        },
      ],
    },
  }
}

/** What passes is TLS already. */
function authorityAsItIs(at: Installation, authority: MeshFacts['authority']): KubeObject {
  return {
    apiVersion: 'networking.istio.io/v1',
    kind: 'DestinationRule',
    metadata: meta(at, 'certificate-authority'),
    spec: {
      host: authorityService(at, authority),
      exportTo: ['.'],
      trafficPolicy: { tls: { mode: 'DISABLE' } },
    },
  }
}

const authorityService = (at: Installation, { host }: MeshFacts['authority']): string =>
  host.endsWith(`.${at.clusterDomain}`) ? host : `${host}.${at.clusterDomain}`

/** The names the gateway passes on, as its Envoy must have them and no others. */
export const passedNames = (at: Installation, { host }: MeshFacts['authority']): readonly string[] =>
  [registrySni(at), host].sort()
