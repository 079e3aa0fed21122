import { isIP } from 'node:net'
import type { IdentityMaterial, MeshTarget } from './identity.ts'

/** Where the container finds what regctl writes. */
export const PROXY_DIRECTORY = '/etc/regctl'
export const BOOTSTRAP_FILE = 'envoy.json'

export type LocalProxy = {
  readonly port: number
  /** Addresses it listens on; one that the machine does not have is left out by Envoy, which says so. */
  readonly addresses: readonly string[]
  readonly target: MeshTarget
}

type Json = Readonly<Record<string, unknown>>

const type = (name: string): { readonly '@type': string } => ({ '@type': `type.googleapis.com/${name}` })

const address = (host: string, port: number): Json => ({ socket_address: { address: host, port_value: port } })

type SecretName = 'identity' | 'roots'

const secret = (name: SecretName): Json => ({
  name,
  sds_config: {
    resource_api_version: 'V3',
    path_config_source: {
      path: `${PROXY_DIRECTORY}/${name}.json`,
      watched_directory: { path: PROXY_DIRECTORY },
    },
  },
})

/** Names by which a registry on loopback is asked; another Host is a page that found the port (DNS rebinding). */
const hosts = (port: number): readonly string[] =>
  ['localhost', '127.0.0.1', '[::1]'].flatMap((name) => [name, `${name}:${port}`])

const refusal = (code: string, message: string): string => JSON.stringify({ errors: [{ code, message }] })

/** Envoy's bootstrap: plain HTTP on loopback in, Istio's mTLS through the developers' gateway out. */
export function localProxyBootstrap({ port, addresses, target }: LocalProxy): Json {
  return {
    // File-based secrets want a name for the proxy.
    node: { id: 'regctl', cluster: 'regctl' },
    // No admin listener: whoever reaches it reads the configuration and may end the proxy.
    static_resources: {
      listeners: addresses.map((host) => ({
        name: `localhost_${host}`,
        address: address(host, port),
        enable_reuse_port: false,
        filter_chains: [{ filters: [connectionManager(port)] }],
      })),
      clusters: [registryCluster(target)],
    },
  }
}

function connectionManager(port: number): Json {
  const allowed = { exact: `http://localhost:${port}` }
  const refuse = (status: number, message: string): Json => ({
    status,
    body: { inline_string: refusal('DENIED', message) },
  })
  return {
    name: 'envoy.filters.network.http_connection_manager',
    typed_config: {
      ...type('envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager'),
      stat_prefix: 'registry',
      // Layers take as long as they take.
      stream_idle_timeout: '0s',
      access_log: [
        {
          name: 'envoy.access_loggers.stdout',
          typed_config: type('envoy.extensions.access_loggers.stream.v3.StdoutAccessLog'),
        },
      ],
      http_filters: [
        {
          name: 'envoy.filters.http.router',
          typed_config: type('envoy.extensions.filters.http.router.v3.Router'),
        },
      ],
      route_config: {
        virtual_hosts: [
          {
            name: 'registry',
            domains: hosts(port),
            routes: [
              {
                match: {
                  prefix: '/',
                  headers: [
                    { name: 'origin', present_match: true },
                    { name: 'origin', string_match: allowed, invert_match: true },
                  ],
                },
                direct_response: refuse(403, 'requests of web pages are not forwarded to the registry'),
              },
              { match: { prefix: '/' }, route: { cluster: 'registry', timeout: '0s' } },
            ],
          },
          {
            name: 'others',
            domains: ['*'],
            routes: [
              {
                match: { prefix: '/' },
                direct_response: refuse(421, `this is the registry at localhost:${port}; ask it by that name`),
              },
            ],
          },
        ],
      },
    },
  }
}

function registryCluster({ host, port, sni, principal }: MeshTarget): Json {
  const context = {
    ...type('envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext'),
    sni,
    common_tls_context: {
      alpn_protocols: ['istio'],
      tls_certificate_sds_secret_configs: [secret('identity')],
      combined_validation_context: {
        default_validation_context: {
          match_typed_subject_alt_names: [{ san_type: 'URI', matcher: { exact: principal } }],
        },
        validation_context_sds_secret_config: secret('roots'),
      },
    },
  }
  return {
    name: 'registry',
    type: isIP(host) === 0 ? 'STRICT_DNS' : 'STATIC',
    connect_timeout: '5s',
    // A certificate that ran out or was replaced must not live on in a pooled connection.
    typed_extension_protocol_options: {
      'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
        ...type('envoy.extensions.upstreams.http.v3.HttpProtocolOptions'),
        common_http_protocol_options: { idle_timeout: '2s' },
        explicit_http_config: { http_protocol_options: {} },
      },
    },
    load_assignment: {
      cluster_name: 'registry',
      endpoints: [{ lb_endpoints: [{ endpoint: { address: address(host, port) } }] }],
    },
    transport_socket: { name: 'envoy.transport_sockets.tls', typed_config: context },
  }
}

/**
 * The files Envoy watches, one secret in each, by name. Written anew by rename they are taken up without a connection being cut.
 */
export function secretFiles({ certificateChain, privateKey, roots }: IdentityMaterial): Readonly<Record<string, Json>> {
  const file = (name: SecretName, content: Json): Json => ({
    resources: [{ ...type('envoy.extensions.transport_sockets.tls.v3.Secret'), name, ...content }],
  })
  return {
    'roots.json': file('roots', { validation_context: { trusted_ca: { inline_string: roots } } }),
    'identity.json': file('identity', {
      tls_certificate: {
        certificate_chain: { inline_string: certificateChain },
        private_key: { inline_string: privateKey },
      },
    }),
  }
}
