import type { Traffic } from './forward-report.ts'

export type Counters = Readonly<Record<string, number>>

/** Of Envoy's admin interface: what `trafficOf` reads. */
export const STATS_PATH =
  '/stats?format=json&filter=^(http.registry|cluster.registry|cluster.regctl)%5C.(downstream_cx|upstream_cx|upstream_rq|rq_direct)'

export function countersOf(text: string): Counters {
  const { stats } = JSON.parse(text) as { stats: readonly { readonly name?: string; readonly value?: number }[] }
  return Object.fromEntries(
    stats.flatMap(({ name, value }) => (name === undefined || typeof value !== 'number' ? [] : [[name, value]])),
  )
}

/** Connections that failed, and requests that were under way when one did: a reason to look whether the registry is there. */
export const failuresIn = (counters: Counters): number =>
  sum(counters, 'cluster.registry.upstream_cx_connect_fail', ...LOST)

const LOST = ['cluster.registry.upstream_cx_destroy_remote_with_active_rq'] as const

export function trafficOf(counters: Counters): Traffic {
  const http = (name: string): number => counters[`http.registry.${name}`] ?? 0
  const own = (name: string): number => counters[`cluster.regctl.${name}`] ?? 0
  return {
    connections: {
      // Whoever asks for the report does so on a connection of its own.
      open: Math.max(0, http('downstream_cx_active') - own('upstream_rq_active')),
      total: Math.max(0, http('downstream_cx_total') - own('upstream_rq_total')),
      refused: http('rq_direct_response'),
      failed: sum(counters, 'cluster.registry.upstream_rq_retry_limit_exceeded', ...LOST),
    },
    bytes: {
      up: counters['cluster.registry.upstream_cx_tx_bytes_total'] ?? 0,
      down: counters['cluster.registry.upstream_cx_rx_bytes_total'] ?? 0,
    },
  }
}

const sum = (counters: Counters, ...names: readonly string[]): number =>
  names.reduce((total, name) => total + (counters[name] ?? 0), 0)

/** A proxy that is started anew counts from nothing. */
export function addTraffic(before: Traffic, now: Traffic): Traffic {
  const add = <T extends Readonly<Record<string, number>>>(one: T, other: T): T =>
    Object.fromEntries(Object.entries(one).map(([name, value]) => [name, value + (other[name] ?? 0)])) as T
  return { connections: add(before.connections, now.connections), bytes: add(before.bytes, now.bytes) }
}
