import { expect, test } from 'vitest'
import { nodeFaults } from '../../../src/domain/envoy/node-listeners.ts'

const CLUSTER = 'outbound|5000||kube-registry.kube-registry.svc.cluster.local'
const WAY = { port: 5000, cluster: CLUSTER }

const range = (address_prefix: string) => ({
  filter_chain_match: { source_prefix_ranges: [{ address_prefix, prefix_len: 8 }] },
})

const listener = (address: string, port_value: number, more: object = {}) => ({
  active_state: {
    listener: {
      name: `${address}_${port_value}`,
      address: { socket_address: { address, port_value } },
      enable_reuse_port: false,
      filter_chains: [range(address)],
      ...more,
    },
  },
})

const OWN = [listener('127.0.0.1', 5000), listener('::1', 5000)]
const ROUTE = { route: { cluster: CLUSTER } }

const dump = (configs: readonly object[]) => JSON.stringify({ configs })
const routing = (...routes: readonly object[]) => dump([{ route_config: { virtual_hosts: [{ routes }] } }])

test.each<[string, readonly object[], string, readonly string[]]>([
  ['as it should be', OWN, routing(ROUTE, ROUTE), []],
  ['on a node without IPv6', OWN.slice(0, 1), routing(ROUTE), []],
  [
    'that just started',
    [],
    dump([]),
    ['it does not listen on 127.0.0.1 port 5000 yet', 'it does not lead to the registry yet'],
  ],
  ['with a port of somebody’s', [...OWN, listener('0.0.0.0', 80)], routing(ROUTE), ['it listens on 0.0.0.0 port 80']],
  [
    'on the right port of all addresses',
    [...OWN, listener('0.0.0.0', 5000)],
    routing(ROUTE),
    ['it listens on 0.0.0.0 port 5000'],
  ],
  [
    'on a pipe',
    [...OWN, { active_state: { listener: { name: 'x', address: { pipe: {} } } } }],
    routing(ROUTE),
    ['it listens on * port 0'],
  ],
  [
    'that shares its port',
    [listener('127.0.0.1', 5000, { enable_reuse_port: true })],
    routing(ROUTE),
    ['its listener 127.0.0.1_5000 can be shared by SO_REUSEPORT'],
  ],
  [
    'that takes any source',
    [
      listener('127.0.0.1', 5000, { filter_chains: [{}] }),
      listener('::1', 5000, { filter_chains: [range('10.0.0.0')] }),
    ],
    routing(ROUTE),
    ['127.0.0.1', '::1'].map(
      (address) => `its listener ${address}_5000 takes connections from elsewhere than loopback`,
    ),
  ],
  [
    'with a chain for the rest',
    [listener('127.0.0.1', 5000, { default_filter_chain: {} })],
    routing(ROUTE),
    ['its listener 127.0.0.1_5000 takes connections from elsewhere than loopback'],
  ],
  [
    'that is led astray',
    OWN,
    routing(ROUTE, { direct_response: {} }, { route: { cluster: 'outbound|80||evil' } }, { redirect: {} }),
    ['3 of its routes lead elsewhere: an answer of its own, outbound|80||evil, another place'],
  ],
  [
    'whose route is weighted',
    OWN,
    routing({ route: { weighted_clusters: {} } }),
    ['it does not lead to the registry yet'],
  ],
])('a gateway %s', (_, listeners, routes, faults) => expect(nodeFaults(dump(listeners), routes, WAY)).toEqual(faults))
