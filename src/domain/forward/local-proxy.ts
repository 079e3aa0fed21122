import { assignment, type Json, pipe, socketAddress, type } from './envoy.ts'
import { BUFFER, MOST, wireListener } from './local-proxy-clusters.ts'
import { ADMIN_SOCKET, CLUSTER_FILE, PROXY_CONFIG, PROXY_STATE, REPORT_SOCKET, watched } from './local-proxy-files.ts'
import { connectionManager, type Names } from './local-proxy-http.ts'

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
    bootstrap_extensions: [
      {
        name: 'envoy.bootstrap.internal_listener',
        typed_config: {
          ...type('envoy.extensions.bootstrap.internal_listener.v3.InternalListener'),
          buffer_size_kb: BUFFER / 1024,
        },
      },
    ],
    dynamic_resources: { cds_config: watched(CLUSTER_FILE) },
    static_resources: {
      listeners: [
        ...addresses.map((host) => ({
          name: `localhost_${host}`,
          address: socketAddress(host, port),
          // Two processes must not have one port.
          enable_reuse_port: false,
          per_connection_buffer_limit_bytes: BUFFER,
          filter_chains: [{ filters: [connectionManager(names)] }],
        })),
        wireListener,
      ],
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
