import { expect, test } from 'vitest'
import { addTraffic, countersOf, failuresIn, trafficOf } from '../../../src/domain/forward/envoy-stats.ts'

const counters = {
  'http.registry.downstream_cx_active': 3,
  'http.registry.downstream_cx_total': 12,
  'http.registry.rq_direct_response': 2,
  'cluster.regctl.upstream_rq_active': 1,
  'cluster.regctl.upstream_rq_total': 4,
  'cluster.registry.upstream_cx_tx_bytes_total': 1000,
  'cluster.registry.upstream_cx_rx_bytes_total': 70,
  'cluster.registry.upstream_cx_connect_fail': 5,
  'cluster.registry.upstream_rq_retry_limit_exceeded': 1,
  'cluster.registry.upstream_cx_destroy_remote_with_active_rq': 1,
}
const stats = [...Object.entries(counters).map(([name, value]) => ({ name, value })), { histograms: {} }]

test('what Envoy counts, without the connections that ask for the report', () => {
  const read = countersOf(JSON.stringify({ stats }))
  expect(read).toEqual(counters)
  const traffic = { connections: { open: 2, total: 8, refused: 2, failed: 2 }, bytes: { up: 1000, down: 70 } }
  expect(trafficOf(read)).toEqual(traffic)
  expect(failuresIn(read)).toBe(6)
  expect(addTraffic(traffic, traffic)).toEqual({
    connections: { open: 4, total: 16, refused: 4, failed: 4 },
    bytes: { up: 2000, down: 140 },
  })
})

test('nothing counted yet', () => {
  expect(trafficOf({})).toEqual({
    connections: { open: 0, total: 0, refused: 0, failed: 0 },
    bytes: { up: 0, down: 0 },
  })
})
