import { Flags } from '@oclif/core'
import { DEFAULTS, type GivenSettings, INGRESS_TYPES, mergeSettings, NODE_PROXIES } from '../domain/settings.ts'
import { usageError } from '../errors.ts'

const back = (name: string) =>
  Flags.boolean({ summary: `Go back to the default ${name}.`, helpGroup: 'RESET', default: false })

/** What `up` and `render` take. A flag that is not given keeps what an earlier `up` was given; `--no-FLAG` ends it. */
export const settingFlags = {
  port: Flags.integer({ summary: `Port of the registry everywhere (${DEFAULTS.port}).`, helpValue: 'PORT' }),
  revision: Flags.string({
    summary: "Istio revision or tag that injects the proxies (the mesh's default).",
    helpValue: 'REV',
  }),
  storage: Flags.string({ summary: 'Where image data lives (pvc).', options: ['pvc', 'emptydir'] }),
  'storage-class': Flags.string({ summary: "StorageClass of the volume (the cluster's default).", helpValue: 'NAME' }),
  size: Flags.string({ summary: `Size of the volume (${DEFAULTS.size}).`, helpValue: 'QUANTITY' }),
  image: Flags.string({ summary: `Image of the registry (${DEFAULTS.image}).`, helpValue: 'IMAGE' }),
  'istio-version': Flags.string({
    summary: 'Istio version to assume, where istiod does not tell its own.',
    helpValue: 'VERSION',
  }),
  'publish-local-registry': Flags.boolean({
    summary: 'Tell Skaffold, Tilt and others of everybody that localhost:PORT is the registry (KEP-1755).',
    allowNo: true,
  }),
  'developer-ingress': Flags.boolean({
    summary: "Give developers a way in from outside: a gateway that leads to the registry's proxy.",
    default: false,
  }),
  'developer-ingress-type': Flags.string({
    summary: 'How that gateway is reached (LoadBalancer); implies --developer-ingress.',
    options: [...INGRESS_TYPES],
  }),
  'node-proxy': Flags.string({
    summary:
      "What Istio's proxy is on the nodes (sidecar): it passes bytes on, or a gateway that refuses pushes itself.",
    options: [...NODE_PROXIES],
  }),
  'no-developer-ingress': Flags.boolean({
    summary: 'Close that way again.',
    helpGroup: 'RESET',
    default: false,
  }),
  'no-developer-ingress-type': back('way to the gateway'),
  'no-revision': back('revision'),
  'no-storage': back('storage'),
  'no-storage-class': back('storage class'),
  'no-size': back('size'),
  'no-image': back('image'),
  'no-istio-version': back('Istio version'),
  'no-node-proxy': back('node proxy'),
}

type Parsed = {
  readonly port?: number | undefined
  readonly revision?: string | undefined
  readonly storage?: string | undefined
  readonly 'storage-class'?: string | undefined
  readonly size?: string | undefined
  readonly image?: string | undefined
  readonly 'istio-version'?: string | undefined
  readonly 'publish-local-registry'?: boolean | undefined
  readonly 'developer-ingress': boolean
  readonly 'developer-ingress-type'?: string | undefined
  readonly 'node-proxy'?: string | undefined
  readonly 'no-node-proxy': boolean
  readonly 'no-developer-ingress': boolean
  readonly 'no-developer-ingress-type': boolean
  readonly 'no-istio-version': boolean
  readonly 'no-revision': boolean
  readonly 'no-storage': boolean
  readonly 'no-storage-class': boolean
  readonly 'no-size': boolean
  readonly 'no-image': boolean
}

export function givenSettings(flags: Parsed): GivenSettings {
  for (const name of [
    'revision',
    'storage',
    'storage-class',
    'size',
    'image',
    'istio-version',
    'developer-ingress-type',
    'node-proxy',
  ] as const)
    if (flags[name] !== undefined && flags[`no-${name}`])
      throw usageError('BOTH_FLAGS', `--${name} and --no-${name} contradict each other`)
  for (const name of ['storage-class', 'size'] as const)
    if (flags.storage === 'emptydir' && flags[name] !== undefined)
      throw usageError('BOTH_FLAGS', `--${name} is for a volume, which --storage emptydir has not`)
  const isWanted = flags['developer-ingress'] || flags['developer-ingress-type'] !== undefined
  if (isWanted && flags['no-developer-ingress'])
    throw usageError('BOTH_FLAGS', '--developer-ingress and --no-developer-ingress contradict each other')
  const given: Record<string, unknown> = {
    port: flags.port,
    revision: flags['no-revision'] ? null : flags.revision,
    storage: flags['no-storage'] ? null : flags.storage,
    storageClass: flags['no-storage-class'] ? null : flags['storage-class'],
    size: flags['no-size'] ? null : flags.size,
    image: flags['no-image'] ? null : flags.image,
    publishLocalRegistry: flags['publish-local-registry'] === false ? null : flags['publish-local-registry'],
    developerIngress: flags['no-developer-ingress'] ? null : isWanted || undefined,
    developerIngressType:
      flags['no-developer-ingress-type'] || flags['no-developer-ingress'] ? null : flags['developer-ingress-type'],
    istioVersion: flags['no-istio-version'] ? null : flags['istio-version'],
    // The default is kept as no setting, whichever way it was asked for.
    nodeProxy: flags['no-node-proxy'] || flags['node-proxy'] === 'sidecar' ? null : flags['node-proxy'],
  }
  const settings = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as GivenSettings
  // What is wrong by itself is told before the cluster is asked anything.
  mergeSettings(undefined, settings)
  return settings
}
