import { type Json, pipe, socketAddress, tlsSocket, type } from './envoy.ts'
import type { MeshTarget } from './identity.ts'
import { connectionManager, type Names } from './local-proxy-http.ts'

/** Where the container finds what regctl writes, which it cannot change. */
export const PROXY_CONFIG = '/etc/regctl'
/** Where it makes its own socket. */
export const PROXY_STATE = '/run/regctl'
export const BOOTSTRAP_FILE = 'envoy.json'
export const REPORT_SOCKET = 'report.sock'
export const ADMIN_SOCKET = 'admin.sock'

/** Of connections, and of requests that wait. */
const MOST = 10_000
/** Of a connection on either side: what a client that takes nothing costs. More made no transfer faster. */
const BUFFER = 256 * 1024

export type LocalProxy = {
  readonly port: number
  /** Addresses that this machine has. */
  readonly addresses: readonly string[]
  readonly names: Names
}

/** Envoy's bootstrap: plain HTTP on loopback in, what the other files say out. */
export function localProxyBootstrap({ port, addresses, names }: LocalProxy): Json {
  return {
    // File-based configuration wants a name for the proxy.
    node: { id: 'regctl', cluster: 'regctl' },
    // On a socket that this user alone reaches: whoever does reads the configuration and may end the proxy.
    admin: { address: pipe(`${PROXY_STATE}/${ADMIN_SOCKET}`, 0o600) },
    // Memory is bound by connections.
    overload_manager: {
      resource_monitors: [
        {
          name: 'envoy.resource_monitors.global_downstream_max_connections',
          typed_config: {
            ...type('envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig'),
            max_active_downstream_connections: MOST,
          },
        },
      ],
    },
    dynamic_resources: { cds_config: watched(CLUSTER_FILE) },
    static_resources: {
      listeners: addresses.map((host) => ({
        name: `localhost_${host}`,
        address: socketAddress(host, port),
        // Two processes must not have one port.
        enable_reuse_port: false,
        per_connection_buffer_limit_bytes: BUFFER,
        filter_chains: [{ filters: [connectionManager(names)] }],
      })),
      clusters: [
        {
          name: 'regctl',
          type: 'STATIC',
          load_assignment: assignment('regctl', pipe(`${PROXY_CONFIG}/${REPORT_SOCKET}`)),
        },
      ],
    },
  }
}

const CLUSTER_FILE = 'clusters.json'

const watched = (file: string): Json => ({
  resource_api_version: 'V3',
  path_config_source: { path: `${PROXY_CONFIG}/${file}`, watched_directory: { path: PROXY_CONFIG } },
  // A file that says nothing yet must not keep the port closed.
  initial_fetch_timeout: '1s',
})

const assignment = (name: string, address: Json): Json => ({
  cluster_name: name,
  endpoints: [{ lb_endpoints: [{ endpoint: { address } }] }],
})

/** A file of its own, because the gateway may move. Nothing but Istio's mTLS to the registry's proxy. */
export function clusterFile({ host, port, sni, principal }: MeshTarget): Readonly<Record<string, Json>> {
  const limits = { max_connections: MOST, max_pending_requests: MOST, max_requests: MOST, max_retries: MOST }
  const http = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions'
  const cluster = {
    ...type('envoy.config.cluster.v3.Cluster'),
    name: 'registry',
    type: 'STRICT_DNS',
    connect_timeout: '5s',
    per_connection_buffer_limit_bytes: BUFFER,
    // Requests that wait for a registry that is away count as retries.
    circuit_breakers: { thresholds: [limits] },
    // A connection whose other end vanished, as after a sleep, is found out by this.
    upstream_connection_options: {
      tcp_keepalive: { keepalive_time: 30, keepalive_interval: 10, keepalive_probes: 3 },
    },
    typed_extension_protocol_options: {
      [http]: {
        ...type(http),
        // A certificate that was replaced must not live on in a pooled connection.
        common_http_protocol_options: { idle_timeout: '2s' },
        explicit_http_config: { http_protocol_options: {} },
      },
    },
    load_assignment: assignment('registry', socketAddress(host, port)),
    transport_socket: tlsSocket({
      sni,
      principal,
      identity: { name: 'identity', sds_config: watched('identity.json') },
      roots: { name: 'roots', sds_config: watched('roots.json') },
    }),
  }
  return { [CLUSTER_FILE]: { resources: [cluster] } }
}
