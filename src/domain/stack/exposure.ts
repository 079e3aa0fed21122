import type { ExternalGrant } from '../external/grant.ts'
import { TOKEN_HEADER } from '../external/issuer.ts'
import { tokenAsPassword } from '../external/password.ts'
import {
  developerHost,
  developerPort,
  EXPOSE,
  exposeNamespace,
  type Installation,
  ownerLabels,
  serviceHost,
} from '../installation.ts'
import type { KubeObject } from '../kube-object.ts'
import { EXPOSURE_LABEL, type Exposure, exposureName, isOnOwnGateway, tokenHosts } from '../policy/exposure.ts'
import { homesOf } from '../policy/identity.ts'
import { INGRESS_TYPES, type IngressType } from '../settings.ts'
import { registrySni } from './developer-access.ts'
import { EXPOSED_HEADER } from './envoy-filter.ts'
import { exposingGateway, gatewayLabels, gatewayPolicy } from './gateway-admission.ts'
import { certificatesRole, gatewayWorkload } from './gateway-workload.ts'
import { mutualTls } from './mesh.ts'
import type { MeshFacts } from './mesh-facts.ts'

/** What clients connect to, and what the pod listens on without a right to low ports. */
export const EXPOSE_PORT = 443
export const EXPOSE_POD_PORT = 8443

/** Everything exposures are made of beside their policies. */
export function exposing(
  at: Installation,
  given: { readonly type: IngressType; readonly revision?: string | undefined },
  mesh: Pick<MeshFacts, 'admissionPolicies' | 'proxy'>,
  shipped: readonly KubeObject[],
  exposures: readonly Exposure[],
  external: readonly ExternalGrant[],
): readonly KubeObject[] {
  return [
    ...(tokenHosts(exposures).length > 0 ? [connections(at)] : []),
    ...(tokenHosts(exposures).length > 0 && external.length > 0 ? [tokenAsPassword(at)] : []),
    ...(exposures.some(isOnOwnGateway) ? ownGateway(at, given, mesh, shipped) : []),
    ...(exposures.some(({ way }) => way === 'istio') ? passThrough(at) : []),
    ...exposures.flatMap((exposure) => routes(at, exposure)),
  ]
}

function ownGateway(
  at: Installation,
  { type, revision }: { readonly type: IngressType; readonly revision?: string | undefined },
  mesh: Pick<MeshFacts, 'admissionPolicies' | 'proxy'>,
  shipped: readonly KubeObject[],
): readonly KubeObject[] {
  const own = exposingGateway(at)
  const reach = { type, revision, port: EXPOSE_PORT, podPort: EXPOSE_POD_PORT }
  return [
    ...gatewayWorkload(at, own, reach, mesh, shipped).map((object) => remembering(object, type)),
    ...certificatesRole(meta(at, EXPOSE)),
    ...(mesh.admissionPolicies ? gatewayPolicy(at, own) : []),
  ]
}

/** On the gateway's Service: how it was said to be reached, which its own type does not tell in full. */
const REACHED_BY = 'regctl.dev/reached-by'

const remembering = (object: KubeObject, type: IngressType): KubeObject =>
  object.kind === 'Service'
    ? { ...object, metadata: { ...object.metadata, annotations: { [REACHED_BY]: type } } }
    : object

export const reachedBy = (service: KubeObject): IngressType | undefined =>
  INGRESS_TYPES.find((type) => type === service.metadata.annotations?.[REACHED_BY])

const meta = (at: Installation, name: string, exposure?: string) => ({
  name,
  namespace: exposeNamespace(at),
  labels: { ...ownerLabels(at), ...(exposure === undefined ? {} : { [EXPOSURE_LABEL]: exposure }) },
})

const NETWORKING = 'networking.istio.io/v1'

const tlsGateway = (at: Installation, metadata: KubeObject['metadata'], mode: string, host: string): KubeObject => ({
  apiVersion: NETWORKING,
  kind: 'Gateway',
  metadata,
  spec: {
    selector: gatewayLabels(exposingGateway(at)),
    servers: [
      { port: { number: EXPOSE_PORT, name: 'tls-registry', protocol: 'TLS' }, tls: { mode }, hosts: [`./${host}`] },
    ],
  },
})

/**
 * Whoever has a certificate of the mesh reaches the port of the registry's proxy for those outside, by the name that the
 * mesh's own proxies have for it; one for all hosts.
 */
const passThrough = (at: Installation): readonly KubeObject[] => [
  tlsGateway(at, meta(at, 'mesh'), 'AUTO_PASSTHROUGH', developerHost(at)),
  outsideMesh(at),
]

/** Of our gateway alone, and under a domain that is nobody's in public DNS. */
const passedHost = (at: Installation): string => `${EXPOSE}.${exposeNamespace(at)}.internal`

/**
 * The same Service as one that is not of the mesh: what passes by the exposed name is TLS already, and for a Service of the mesh
 * the gateway would wrap it once more. A DestinationRule that forbids this takes the endpoints from AUTO_PASSTHROUGH as well.
 */
const outsideMesh = (at: Installation): KubeObject => ({
  apiVersion: NETWORKING,
  kind: 'ServiceEntry',
  metadata: meta(at, 'mesh'),
  spec: {
    hosts: [passedHost(at)],
    exportTo: ['.'],
    location: 'MESH_EXTERNAL',
    resolution: 'DNS',
    ports: [{ number: developerPort(at), name: 'tls-registry', protocol: 'TLS' }],
    endpoints: [{ address: developerHost(at) }],
  },
})

/** The same by the name that is exposed. */
function namedPassThrough(at: Installation, host: string, metadata: KubeObject['metadata']): readonly KubeObject[] {
  const destination = { host: passedHost(at), port: { number: developerPort(at) } }
  return [
    tlsGateway(at, metadata, 'PASSTHROUGH', host),
    {
      apiVersion: NETWORKING,
      kind: 'VirtualService',
      metadata,
      spec: {
        hosts: [host],
        gateways: [metadata.name],
        exportTo: ['.'],
        tls: [{ match: [{ port: EXPOSE_PORT, sniHosts: [host] }], route: [{ destination }] }],
      },
    },
  ]
}

function routes(at: Installation, exposure: Exposure): readonly KubeObject[] {
  const { way, host, secret, gateway, principals, port = EXPOSE_PORT } = exposure
  const name = exposureName(host)
  if (way === 'istio') return namedPassThrough(at, host, meta(at, name, name))
  if (way === 'secret') {
    const metadata = meta(at, name, name)
    const ours = { gateways: [name], exportTo: ['.'] }
    return [server(metadata, gatewayLabels(exposingGateway(at)), exposure, port), route(at, exposure, metadata, ours)]
  }
  // Of others nothing is changed, so what we add to their gateway is in our own namespace.
  const metadata = { ...meta(at, name, name), namespace: at.namespace }
  const exportTo = homesOf(principals)
  if (secret === undefined) return [route(at, exposure, metadata, { gateways: [gateway ?? ''], exportTo, port })]
  const added = { gateways: [name], exportTo }
  return [server(metadata, exposure.selector ?? {}, exposure, port), route(at, exposure, metadata, added)]
}

const server = (
  metadata: KubeObject['metadata'],
  selector: Readonly<Record<string, string>>,
  { host, secret }: Exposure,
  port: number,
): KubeObject => ({
  apiVersion: NETWORKING,
  kind: 'Gateway',
  metadata,
  spec: {
    selector,
    servers: [
      {
        port: { number: port, name: 'https-registry', protocol: 'HTTPS' },
        tls: { mode: 'SIMPLE', credentialName: secret, minProtocolVersion: 'TLSV1_2' },
        // Only VirtualServices of the same namespace attach.
        hosts: [`./${host}`],
      },
    ],
  },
})

type Attached = {
  readonly gateways: readonly string[]
  /** Namespaces of the gateways' pods: a proxy elsewhere never hears of it. */
  readonly exportTo: readonly string[]
  /** Where the gateway has servers without TLS beside it. */
  readonly port?: number
}

const token = { [TOKEN_HEADER]: '%REQ(AUTHORIZATION)%' }

/**
 * All of the host leads to the registry's Service as it was asked for; what it may ask is decided there. A client's token goes
 * there in a header of its own.
 */
function route(
  at: Installation,
  { host, way }: Exposure,
  metadata: KubeObject['metadata'],
  { gateways, exportTo, port }: Attached,
): KubeObject {
  return {
    apiVersion: NETWORKING,
    kind: 'VirtualService',
    metadata,
    spec: {
      hosts: [host],
      gateways,
      exportTo,
      http: [
        {
          ...(port === undefined ? {} : { match: [{ port }] }),
          headers: { request: { set: { [EXPOSED_HEADER]: host, ...(way === 'secret' ? token : {}) } } },
          route: [{ destination: { host: serviceHost(at), port: { number: at.port } } }],
        },
      ],
    },
  }
}

/**
 * One for each request: a connection keeps the policies it was opened under for one request more, and one that the gateway kept
 * would give that to whoever comes next.
 */
function connections(at: Installation): KubeObject {
  const { spec, ...rest } = mutualTls(at)
  const { trafficPolicy, ...others } = spec as { trafficPolicy: { connectionPool: object } }
  const connectionPool = { ...trafficPolicy.connectionPool, http: { maxRequestsPerConnection: 1 } }
  return {
    ...rest,
    metadata: meta(at, EXPOSE),
    spec: { ...others, exportTo: ['.'], trafficPolicy: { ...trafficPolicy, connectionPool } },
  }
}

/** The names our gateway answers to, as its Envoy must have them and no others. */
export const answeredNames = (at: Installation, exposures: readonly Exposure[]): readonly string[] =>
  [
    ...exposures.filter(isOnOwnGateway).map(({ host }) => host),
    ...(exposures.some(({ way }) => way === 'istio') ? [registrySni(at)] : []),
  ].sort()
