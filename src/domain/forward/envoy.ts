/** What Envoy's configuration is made of. */
export type Json = Readonly<Record<string, unknown>>

export const type = (name: string): { readonly '@type': string } => ({ '@type': `type.googleapis.com/${name}` })

export const socketAddress = (host: string, port: number): Json => ({
  socket_address: { address: host, port_value: port },
})

export const pipe = (path: string, mode?: number): Json => ({
  pipe: { path, ...(mode === undefined ? {} : { mode }) },
})

export const assignment = (cluster: string, address: Json): Json => ({
  cluster_name: cluster,
  endpoints: [{ lb_endpoints: [{ endpoint: { address } }] }],
})

type Tls = { readonly sni: string; readonly principal: string; readonly identity: Json; readonly roots: Json }

/** Istio's mTLS to a peer of that SPIFFE ID and no other. */
export const tlsSocket = ({ sni, principal, identity, roots }: Tls): Json => ({
  name: 'envoy.transport_sockets.tls',
  typed_config: {
    ...type('envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext'),
    sni,
    common_tls_context: {
      tls_params: { tls_minimum_protocol_version: 'TLSv1_2', tls_maximum_protocol_version: 'TLSv1_3' },
      // The gateway passes on nothing that does not offer one of Istio's protocols.
      alpn_protocols: ['istio'],
      tls_certificate_sds_secret_configs: [identity],
      combined_validation_context: {
        default_validation_context: {
          match_typed_subject_alt_names: [{ san_type: 'URI', matcher: { exact: principal } }],
        },
        validation_context_sds_secret_config: roots,
      },
    },
  },
})
