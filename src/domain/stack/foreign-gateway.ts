import type { V1Pod } from '@kubernetes/client-node'
import type { KubeObject } from '../kube-object.ts'
import { principalOf } from '../policy/identity.ts'

type Server = {
  readonly port?: { readonly number?: number }
  readonly tls?: { readonly mode?: string }
  readonly hosts?: readonly string[]
}

export const serversOf = (gateway: KubeObject): readonly Server[] =>
  (gateway.spec as { readonly servers?: readonly Server[] } | undefined)?.servers ?? []

export const selectorOf = (gateway: KubeObject): Readonly<Record<string, string>> =>
  (gateway.spec as { readonly selector?: Readonly<Record<string, string>> } | undefined)?.selector ?? {}

/** `NAMESPACE/HOST` says who may attach. */
export const hostIn = (host: string): string => host.slice(host.indexOf('/') + 1)

/** The port of the server that ends the TLS of this host and takes VirtualServices of this namespace. */
export function tlsPort(gateway: KubeObject, host: string, from: string): number | undefined {
  const takes = (one: string) => {
    const [place, name] = one.includes('/') ? [one.slice(0, one.indexOf('/')), hostIn(one)] : ['*', one]
    const isOurs = place === '*' || place === from || (place === '.' && gateway.metadata.namespace === from)
    return isOurs && (name === '*' || name === host || (name.startsWith('*.') && host.endsWith(name.slice(1))))
  }
  const found = serversOf(gateway).find(
    ({ tls, hosts = [] }) => ['SIMPLE', 'MUTUAL', 'OPTIONAL_MUTUAL'].includes(tls?.mode ?? '') && hosts.some(takes),
  )
  return found?.port?.number
}

/** Who the gateway's pods are to the registry's proxy. */
export const principalsOfPods = (pods: readonly V1Pod[]): readonly string[] =>
  [
    ...new Set(
      pods
        .filter(({ status, metadata }) => status?.phase === 'Running' && metadata?.deletionTimestamp === undefined)
        .map(({ metadata, spec }) =>
          principalOf({ namespace: metadata?.namespace ?? '', serviceAccount: spec?.serviceAccountName ?? 'default' }),
        ),
    ),
  ].sort()
