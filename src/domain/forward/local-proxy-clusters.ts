import { assignment, type Json, socketAddress, tlsSocket, type } from './envoy.ts'
import type { MeshTarget } from './identity.ts'
import { CLUSTER_FILE, watched } from './local-proxy-files.ts'

/** Of connections, and of requests that wait. */
export const MOST = 10_000
/** Of a connection on either side: what a client that takes nothing costs. More made no transfer faster. */
export const BUFFER = 256 * 1024

/** What is read goes over the first, which counts for both. */
export const REGISTRY = 'registry'
export const REGISTRY_WRITES = 'registry-writes'

/**
 * Between the TLS of writes and the network, within Envoy. TLS writes record by record: on a socket each is a packet of its own
 * through every network, and with this between they go on together, which takes a sixth off the time of a push. A pull gains
 * nothing: there the registry's proxy writes the records.
 */
const WIRE = 'wire'

const LIMITS: Json = {
  connect_timeout: '5s',
  per_connection_buffer_limit_bytes: BUFFER,
  // Requests that wait for a registry that is away count as retries.
  circuit_breakers: {
    thresholds: [{ max_connections: MOST, max_pending_requests: MOST, max_requests: MOST, max_retries: MOST }],
  },
}

/** A file of its own, because the gateway may move. Nothing but Istio's mTLS to the registry's proxy. */
export function clusterFile(target: MeshTarget): Readonly<Record<string, Json>> {
  const place = socketAddress(target.host, target.port)
  const registry = { name: REGISTRY, ...toPlace(REGISTRY, place), ...inMesh(target) }
  const writes = {
    name: REGISTRY_WRITES,
    alt_stat_name: REGISTRY,
    type: 'STATIC',
    load_assignment: assignment(REGISTRY_WRITES, { envoy_internal_address: { server_listener_name: WIRE } }),
    ...inMesh(target),
  }
  const resources = [registry, writes, { name: WIRE, ...toPlace(WIRE, place) }]
  const cluster = { ...type('envoy.config.cluster.v3.Cluster'), ...LIMITS }
  return { [CLUSTER_FILE]: { resources: resources.map((one) => ({ ...cluster, ...one })) } }
}

const toPlace = (name: string, place: Json): Json => ({
  type: 'STRICT_DNS',
  // A connection whose other end vanished, as after a sleep, is found out by this.
  upstream_connection_options: {
    tcp_keepalive: { keepalive_time: 30, keepalive_interval: 10, keepalive_probes: 3 },
  },
  load_assignment: assignment(name, place),
})

function inMesh({ sni, principal }: MeshTarget): Json {
  const http = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions'
  return {
    typed_extension_protocol_options: {
      [http]: {
        ...type(http),
        // A certificate that was replaced must not live on in a pooled connection.
        common_http_protocol_options: { idle_timeout: '2s' },
        explicit_http_config: { http_protocol_options: {} },
      },
    },
    transport_socket: tlsSocket({
      sni,
      principal,
      identity: { name: 'identity', sds_config: watched('identity.json') },
      roots: { name: 'roots', sds_config: watched('roots.json') },
    }),
  }
}

export const wireListener: Json = {
  name: WIRE,
  internal_listener: {},
  per_connection_buffer_limit_bytes: BUFFER,
  filter_chains: [
    {
      filters: [
        {
          name: 'envoy.filters.network.tcp_proxy',
          typed_config: {
            ...type('envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy'),
            stat_prefix: WIRE,
            cluster: WIRE,
            // Layers take as long as they take.
            idle_timeout: '0s',
          },
        },
      ],
    },
  ],
}
