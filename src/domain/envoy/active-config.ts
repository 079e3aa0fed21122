import type { RbacFilter } from './rbac.ts'
import { type TokenProvider, tokenProviders } from './tokens.ts'

/** The listeners part of Envoy's `config_dump`, as far as it is read. */
type Json = Readonly<Record<string, unknown>>

export type ActiveConfig = {
  /** RBAC filters, in order, of every HTTP filter chain that serves `port`; one entry a chain. */
  readonly chains: readonly (readonly RbacFilter[])[]
  /** Listeners whose last update Envoy refused, with its words. The old configuration stays in force for them. */
  readonly rejected: readonly { readonly listener: string; readonly details: string }[]
}

/** Reads `GET /config_dump?resource=dynamic_listeners` of a registry's proxy. */
export function activeConfig(dump: string, port: number): ActiveConfig {
  const listeners = listenersIn(dump)
  return {
    chains: activeIn(listeners, port).map((filters) => filters.flatMap(rbacRules)),
    rejected: listeners.flatMap((entry) => {
      const error = entry.error_state as Json | undefined
      if (error === undefined) return []
      return [{ listener: String(entry.name), details: String(error.details ?? 'no details') }]
    }),
  }
}

/** How tokens are checked in every HTTP filter chain that serves `port`; one entry a chain. */
export const activeTokens = (dump: string, port: number): readonly (readonly TokenProvider[])[] =>
  activeIn(listenersIn(dump), port).map(tokenProviders)

const listenersIn = (dump: string): readonly Json[] => ((JSON.parse(dump) as Json).configs ?? []) as readonly Json[]

const activeIn = (listeners: readonly Json[], port: number): readonly (readonly Json[])[] =>
  listeners.flatMap((entry) => {
    const listener = (entry.active_state as Json | undefined)?.listener as Json | undefined
    return listener === undefined ? [] : chainsOf(listener, port)
  })

/** The HTTP filters of the chains that serve a port. */
function chainsOf(listener: Json, port: number): readonly (readonly Json[])[] {
  const chains = (listener.filter_chains ?? []) as readonly Json[]
  return chains
    .filter((chain) => (chain.filter_chain_match as Json | undefined)?.destination_port === port)
    .flatMap((chain) => (chain.filters ?? []) as readonly Json[])
    .filter((filter) => filter.name === 'envoy.filters.network.http_connection_manager')
    .map((filter) => ((filter.typed_config as Json).http_filters ?? []) as readonly Json[])
}

function rbacRules(filter: Json): readonly RbacFilter[] {
  const config = filter.typed_config as Json | undefined
  if (!String(config?.['@type']).endsWith('envoy.extensions.filters.http.rbac.v3.RBAC')) return []
  // `matcher` is the other form Envoy takes; Istio does not write it.
  const { rules, matcher } = config as { readonly rules?: RbacFilter; readonly matcher?: unknown }
  if (matcher !== undefined) return [{ matcher }]
  return rules === undefined ? [] : [rules]
}
