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
}

/** Name of the Service, the Deployment, the service account and of the label `app`. */
export const REGISTRY = 'kube-registry'
/** Name of the node proxy's DaemonSet and service account. */
export const NODE_PROXY = 'registry-node'

export const FIELD_MANAGER = 'regctl'
export const OWNER_LABEL = 'app.kubernetes.io/managed-by'
export const OWNER = 'regctl'
/** Label on every object of an installation; its value is the registry's namespace. */
export const INSTALLATION_LABEL = 'regctl.dev/installation'

export const nodeNamespace = (at: Pick<Installation, 'namespace'>): string => `${at.namespace}-node`

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
 * Checks the name of a registry's namespace; the node proxy's, a few letters longer, must be one too.
 * @throws usage error INVALID_NAMESPACE
 */
export function registryNamespace(text: string): string {
  namespaceName(nodeNamespace({ namespace: namespaceName(text) }))
  if (!RESERVED.has(text)) return text
  throw usageError('INVALID_NAMESPACE', `namespace "${text}" is the cluster's own; the registry needs one for itself`)
}
