import { conflictError, usageError } from '../errors.ts'
import type { Installation } from './installation.ts'
import type { Exposure } from './policy/exposure.ts'

/** What `regctl up` was given. Kept in the cluster, so that a later `up` without a flag keeps it. */
export type Settings = {
  readonly port: number
  /** Istio revision or tag that injects the proxies; absent for the default one. */
  readonly revision?: string
  readonly storage: 'pvc' | 'emptydir'
  /** Absent for the cluster's default StorageClass. */
  readonly storageClass?: string
  /** A Kubernetes quantity, for `pvc` only. */
  readonly size: string
  readonly image: string
  /** Version of Istio to assume, where istiod does not tell its own; absent to ask it. */
  readonly istioVersion?: string
  /** Tell the tools of everybody, by a ConfigMap of the whole cluster. */
  readonly publishLocalRegistry?: true
  /** Developers have a way in from outside. */
  readonly developerIngress?: true
  /** How their gateway is reached; absent for a load balancer. */
  readonly developerIngressType?: IngressType
  /** What Istio's proxy is on the nodes; absent for a sidecar. */
  readonly nodeProxy?: NodeProxy
}

export const NODE_PROXIES = ['sidecar', 'gateway'] as const
export type NodeProxy = (typeof NODE_PROXIES)[number]

export const INGRESS_TYPES = ['LoadBalancer', 'NodePort', 'HostPort', 'ClusterIP'] as const
export type IngressType = (typeof INGRESS_TYPES)[number]

export const DEFAULTS: Settings = {
  port: 5000,
  storage: 'pvc',
  size: '20Gi',
  image: 'docker.io/library/registry:3',
}

export const installationOf = (
  namespace: string,
  settings: Settings,
  clusterDomain: string,
  exposures: readonly Pick<Exposure, 'way'>[],
): Installation => ({
  namespace,
  port: settings.port,
  clusterDomain,
  ...(settings.developerIngress === true ? { developers: true } : {}),
  ...(settings.developerIngress === true && ingressType(settings) === 'NodePort' ? { onNodePort: true } : {}),
  ...(exposures.some(({ way }) => way === 'istio') ? { outside: true } : {}),
  ...(settings.nodeProxy === 'gateway' ? { nodeGateway: true } : {}),
})

/** Flags as given: a value sets, `null` (`--no-FLAG`) goes back to the default, absent keeps. */
export type GivenSettings = { readonly [K in keyof Settings]?: Exclude<Settings[K], undefined> | null }

/** The settings of this `up`: what was kept, changed by what is given. */
export function mergeSettings(kept: Settings | undefined, given: GivenSettings): Settings {
  const merged: Record<string, unknown> = { ...DEFAULTS, ...kept }
  for (const [key, value] of Object.entries(given)) {
    if (value === undefined) continue
    const fallback = DEFAULTS[key as keyof Settings]
    if (value !== null) merged[key] = value
    else if (fallback === undefined) delete merged[key]
    else merged[key] = fallback
  }
  return validSettings(merged as Settings)
}

export const ingressType = ({ developerIngressType = 'LoadBalancer' }: Settings): IngressType => developerIngressType

const QUANTITY = /^(\d+(?:\.\d+)?)(Ki|Mi|Gi|Ti|Pi|k|M|G|T|P)?$/
const UNIT: Readonly<Record<string, number>> = {
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
}

/** Bytes of a storage quantity. */
export function bytesOf(quantity: string): number {
  const match = QUANTITY.exec(quantity)
  if (match === null) throw usageError('INVALID_SIZE', `size "${quantity}" is not a quantity such as 20Gi`)
  return Number(match[1]) * (UNIT[match[2] ?? ''] ?? 1)
}

function validSettings(settings: Settings): Settings {
  if (!Number.isInteger(settings.port) || settings.port < 1024 || settings.port > 65_535)
    throw usageError('INVALID_PORT', `port ${settings.port} is not between 1024 and 65535`)
  if (bytesOf(settings.size) < 2 ** 20) throw usageError('INVALID_SIZE', `size "${settings.size}" is less than 1Mi`)
  if (settings.image.trim() === '' || /\s/.test(settings.image))
    throw usageError('INVALID_IMAGE', `image "${settings.image}" is not an image reference`)
  if (settings.revision !== undefined && !/^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/.test(settings.revision))
    throw usageError('INVALID_REVISION', `revision "${settings.revision}" is not one such as 1-31-0 or canary`)
  if (settings.istioVersion !== undefined && !/^\d+\.\d+(\.\d+)?/.test(settings.istioVersion))
    throw usageError('INVALID_VERSION', `Istio version "${settings.istioVersion}" is not one such as 1.30.2`)
  return settings
}

/**
 * Refuses a change that would lose data or move the registry under its users.
 * @throws conflict error (exit 4) SETTING_FIXED
 */
export function checkChange(kept: Settings, wanted: Settings): void {
  if (kept.port !== wanted.port)
    throw conflictError(
      'SETTING_FIXED',
      `the port is "${kept.port}" and cannot become "${wanted.port}" while the registry is installed`,
      { suggestions: [`regctl down, which keeps the images, then regctl up --port ${wanted.port}`] },
    )
  const refuse = (what: string, from: string, to: string): never => {
    throw conflictError('SETTING_FIXED', `${what} is "${from}" and cannot become "${to}" without losing the images`, {
      suggestions: ['regctl down --delete-data, then regctl up with the new value'],
    })
  }
  if (kept.storage !== wanted.storage) refuse('the storage', kept.storage, wanted.storage)
  if (wanted.storage === 'emptydir') return
  if ((kept.storageClass ?? '') !== (wanted.storageClass ?? ''))
    refuse('the storage class', kept.storageClass ?? 'default', wanted.storageClass ?? 'default')
  if (bytesOf(wanted.size) < bytesOf(kept.size)) refuse('the size', kept.size, wanted.size)
}
