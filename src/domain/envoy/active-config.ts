import type { RbacFilter } from './rbac.ts'

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
  const listeners = ((JSON.parse(dump) as Json).configs ?? []) as readonly Json[]
  const active = listeners.flatMap((entry) => {
    const listener = (entry.active_state as Json | undefined)?.listener as Json | undefined
    return listener === undefined ? [] : [listener]
  })
  return {
    chains: active.flatMap((listener) => chainsOf(listener, port)),
    rejected: listeners.flatMap((entry) => {
      const error = entry.error_state as Json | undefined
      if (error === undefined) return []
      return [{ listener: String(entry.name), details: String(error.details ?? 'no details') }]
    }),
  }
}

function chainsOf(listener: Json, port: number): readonly (readonly RbacFilter[])[] {
  const chains = (listener.filter_chains ?? []) as readonly Json[]
  return chains
    .filter((chain) => (chain.filter_chain_match as Json | undefined)?.destination_port === port)
    .flatMap((chain) => (chain.filters ?? []) as readonly Json[])
    .filter((filter) => filter.name === 'envoy.filters.network.http_connection_manager')
    .map((filter) => ((filter.typed_config as Json).http_filters ?? []) as readonly Json[])
    .map((filters) => filters.flatMap(rbacRules))
}

function rbacRules(filter: Json): readonly RbacFilter[] {
  const config = filter.typed_config as Json | undefined
  if (!String(config?.['@type']).endsWith('envoy.extensions.filters.http.rbac.v3.RBAC')) return []
  // `matcher` is the other form Envoy takes; Istio does not write it.
  const { rules, matcher } = config as { readonly rules?: RbacFilter; readonly matcher?: unknown }
  if (matcher !== undefined) return [{ matcher }]
  return rules === undefined ? [] : [rules]
}
