import type { V1Deployment, V1Service } from '@kubernetes/client-node'
import {
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
import { type IngressType, ingressType, type Settings } from '../settings.ts'
import { accessObject, type DeveloperAccess, registrySni } from './developer-access.ts'
import { developersGateway, gatewayLabels, gatewayPolicy } from './gateway-admission.ts'
import { injectionLabel } from './injection.ts'
import { mutualTls } from './mesh.ts'
import type { MeshFacts } from './mesh-facts.ts'
import { placed } from './registry.ts'

/** The developers' way in: a gateway of its own that passes two names on and ends no TLS. */
export function developerIngress(
  at: Installation,
  settings: Settings,
  mesh: Pick<MeshFacts, 'authority' | 'admissionPolicies' | 'proxy'>,
  shipped: readonly KubeObject[],
  access: DeveloperAccess,
): readonly KubeObject[] {
  const type = ingressType(settings)
  return [
    ...shipped.map((object) => placed(at, object)).map((object) => shaped(object, at, settings, mesh, type)),
    ...developerRoles(at),
    ...(mesh.admissionPolicies ? gatewayPolicy(at, developersGateway(at)) : []),
    mutualTls(at, developerHost(at)),
    gateway(at, mesh.authority),
    authorityRoute(at, mesh.authority),
    authorityAsItIs(at, mesh.authority),
    accessObject(at, access),
  ]
}

function shaped(
  object: KubeObject,
  at: Installation,
  settings: Settings,
  mesh: Pick<MeshFacts, 'proxy'>,
  type: IngressType,
): KubeObject {
  const { metadata } = object
  switch (object.kind) {
    case 'Namespace': {
      // PodSecurity's lower levels forbid host ports.
      const level = type === 'HostPort' ? 'privileged' : 'restricted'
      return { ...object, metadata: { ...metadata, labels: { ...metadata.labels, [ENFORCE]: level } } }
    }
    case 'Service':
      return metadata.name === INGRESS ? gatewayService(object, type) : developersService(object, at)
    case 'Deployment':
      return deployment(object, settings, mesh, type)
    default:
      return object
  }
}

const ENFORCE = 'pod-security.kubernetes.io/enforce'

function developersService(object: KubeObject, at: Installation): KubeObject {
  const port = developerPort(at)
  const spec = object.spec as V1Service['spec']
  return { ...object, spec: { ...spec, ports: spec?.ports?.map((one) => ({ ...one, port, targetPort: port })) } }
}

const gatewayService = (object: KubeObject, type: IngressType): KubeObject => ({
  ...object,
  spec: { ...(object.spec as object), type: type === 'HostPort' ? 'ClusterIP' : type },
})

function deployment(
  object: KubeObject,
  settings: Settings,
  mesh: Pick<MeshFacts, 'proxy'>,
  type: IngressType,
): KubeObject {
  const spec = object.spec as NonNullable<V1Deployment['spec']>
  const { metadata, spec: pod } = spec.template
  if (pod === undefined) throw new Error('assets/manifests/developer-ingress.yaml: the Deployment has no pod')
  const hostPort = type === 'HostPort' ? { hostPort: INGRESS_PORT } : {}
  return {
    ...object,
    spec: {
      ...spec,
      // The old pod holds the node's port until it is gone.
      ...(type === 'HostPort'
        ? { strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 0, maxUnavailable: 1 } } }
        : {}),
      template: {
        metadata: {
          ...metadata,
          labels: {
            ...metadata?.labels,
            ...gatewayLabels,
            ...(settings.revision === undefined ? {} : injectionLabel(settings.revision)),
          },
          // The image comes by injection: what changes here with the mesh makes the pods anew.
          annotations: { ...metadata?.annotations, [INJECTED]: mesh.proxy.container.image ?? '' },
        },
        spec: {
          ...pod,
          containers: pod.containers.map((container) => ({
            ...container,
            ports: container.ports?.map((port) => ({ ...port, ...hostPort })),
          })),
        },
      },
    },
  } as unknown as KubeObject
}

/** What the mesh injected when `up` ran last. */
export const INJECTED = 'regctl.dev/proxy'

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
      selector: gatewayLabels,
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
