/**
 * Makes test/golden/registry-listeners.json from a proxy's dump, without what belongs to one machine:
 * kubectl exec … -c istio-proxy -- pilot-agent request GET 'config_dump?resource=dynamic_listeners' | node test/golden/trim.ts
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

type Json = Readonly<Record<string, unknown>>

const list = (value: unknown): readonly Json[] => (value ?? []) as readonly Json[]

const { configs } = JSON.parse(readFileSync(0, 'utf8')) as { configs: unknown }
const trimmed = list(configs).map((entry) => {
  const { listener } = entry.active_state as { listener: Json }
  const filter_chains = list(listener.filter_chains).map((chain) => ({
    name: String(chain.name).replace(/^[\d.]+_/, 'ADDRESS_'),
    filter_chain_match: chain.filter_chain_match,
    // The catch-all chain has the same rules once more.
    filters: list(chain.filters).map((filter) =>
      String(chain.name).includes('catchall') ? { name: filter.name } : filterOf(filter),
    ),
  }))
  return { name: entry.name, active_state: { listener: { name: listener.name, filter_chains } } }
})
writeFileSync(
  join(import.meta.dirname, 'registry-listeners.json'),
  `${JSON.stringify({ configs: trimmed }, undefined, 1)}\n`,
)

function filterOf({ name, typed_config }: Json): Json {
  const filters = list((typed_config as Json | undefined)?.http_filters)
  if (filters.length === 0) return { name }
  const kept = filters.map((filter) => (String(filter.name).endsWith('.rbac') ? filter : { name: filter.name }))
  return { name, typed_config: { http_filters: kept } }
}
