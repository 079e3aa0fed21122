import { usageError } from '../errors.ts'
import { namespaceName } from './policy/identity.ts'

/** Where one installation lives. Everything regctl makes is named from this. */
export type Installation = {
  /** The registry's namespace. */
  readonly namespace: string
  /** The port of the registry, its Service, the node proxy and the builders' listeners alike. */
  readonly port: number
  /** DNS domain of the cluster's Services, `cluster.local` unless the mesh says otherwise. */
  readonly clusterDomain: string
  /** The developers' way in is installed. */
  readonly developers?: true
  /** Their port of the registry's proxy is a port of the nodes as well. */
  readonly onNodePort?: true
  /** The registry is exposed to whoever comes with a certificate of the mesh. */
  readonly outside?: true
  /** The node proxy is a standard Istio Gateway instead of a sidecar. */
  readonly nodeGateway?: true
}

/** Name of the Service, the Deployment, the service account and of the label `app`. */
export const REGISTRY = 'kube-registry'
/** Name of the node proxy's DaemonSet and service account. */
export const NODE_PROXY = 'registry-node'
/** Name of the developers' gateway: its Deployment, Service, Gateway and service account. */
export const INGRESS = 'registry-ingress'
/** Name of the Service that leads developers to their port of the registry's proxy. */
export const DEVELOPERS = 'kube-registry-developers'
/** Name of the gateway that exposes the registry: its Deployment, Service and service account. */
export const EXPOSE = 'registry-expose'
/** The port of the developers' gateway, the one Istio's own gateways use for passing mTLS on. */
export const INGRESS_PORT = 15_443

export const FIELD_MANAGER = 'regctl'
export const OWNER_LABEL = 'app.kubernetes.io/managed-by'
export const OWNER = 'regctl'
/** Label on every object of an installation; its value is the registry's namespace. */
export const INSTALLATION_LABEL = 'regctl.dev/installation'

export const nodeNamespace = (at: Pick<Installation, 'namespace'>): string => `${at.namespace}-node`

export const ingressNamespace = (at: Pick<Installation, 'namespace'>): string => `${at.namespace}-ingress`

/** Of the gateway that exposes the registry, and of the certificates it shows. */
export const exposeNamespace = (at: Pick<Installation, 'namespace'>): string => `${at.namespace}-expose`

/**
 * Developers come in by a port of their own at the registry's proxy, because their gateway passes any certificate of
 * the mesh on: what a builder or a node may do must be worth nothing there.
 */
export const developerPort = (at: Pick<Installation, 'port'>): number => (at.port === 5443 ? 5444 : 5443)

export const developerHost = (at: Pick<Installation, 'namespace' | 'clusterDomain'>): string =>
  `${DEVELOPERS}.${at.namespace}.svc.${at.clusterDomain}`

/** Every port of the registry's proxy that leads to the registry. */
export const servingPorts = (at: Installation): readonly number[] =>
  at.developers === true || at.outside === true ? [at.port, developerPort(at)] : [at.port]

export const serviceHost = (at: Pick<Installation, 'namespace' | 'clusterDomain'>): string =>
  `${REGISTRY}.${at.namespace}.svc.${at.clusterDomain}`

/** The Host headers a container runtime sends for this registry. */
export const localHosts = (at: Pick<Installation, 'port'>): readonly string[] =>
  ['localhost', '127.0.0.1', '[::1]'].map((host) => `${host}:${at.port}`)

/** Labels that mark an object as ours. */
export const ownerLabels = (at: Pick<Installation, 'namespace'>): Readonly<Record<string, string>> => ({
  [OWNER_LABEL]: OWNER,
  [INSTALLATION_LABEL]: at.namespace,
})

/** Selects the registry's pods in Istio's policies. */
export const registrySelector = { matchLabels: { app: REGISTRY } } as const

/** Namespaces of the cluster itself; nothing of ours goes there, and nothing there may go with ours. */
const RESERVED = new Set(['default', 'kube-system', 'kube-public', 'kube-node-lease'])

/**
 * Checks the name of a registry's namespace; the gateway's, a few letters longer, must be one too.
 * @throws usage error INVALID_NAMESPACE
 */
export function registryNamespace(text: string): string {
  namespaceName(ingressNamespace({ namespace: namespaceName(text) }))
  if (!RESERVED.has(text)) return text
  throw usageError('INVALID_NAMESPACE', `namespace "${text}" is the cluster's own; the registry needs one for itself`)
}
