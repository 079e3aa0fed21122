import {
  developerPort,
  type Installation,
  NODE_PROXY,
  nodeNamespace,
  ownerLabels,
  REGISTRY,
  serviceHost,
  servingPorts,
} from '../installation.ts'
import type { KubeObject } from '../kube-object.ts'

export type Patch = {
  readonly applyTo: string
  readonly match: Readonly<Record<string, unknown>>
  readonly patch: { readonly operation: string; readonly value: Readonly<Record<string, unknown>> }
}

export function envoyFilter(
  at: Installation,
  name: string,
  namespace: string,
  app: string,
  configPatches: readonly Patch[],
): KubeObject {
  return {
    apiVersion: 'networking.istio.io/v1alpha3',
    kind: 'EnvoyFilter',
    metadata: { name, namespace, labels: ownerLabels(at) },
    spec: { workloadSelector: { labels: { app } }, configPatches },
  }
}

/** The exposed host by which a request came, as its route says; it tells words of a refusal and nothing else. */
export const EXPOSED_HEADER = 'x-regctl-exposed'

export const HTTP_MANAGER = 'envoy.filters.network.http_connection_manager'

const onRegistryHttp = (value: Readonly<Record<string, unknown>>, destinationPort?: number): Patch =>
  onHttp('SIDECAR_INBOUND', value, destinationPort === undefined ? {} : { destinationPort })

/** Merges into the HTTP filter of every listener of this kind. */
export const onHttp = (
  context: string,
  value: Readonly<Record<string, unknown>>,
  filterChain: Readonly<Record<string, unknown>> = {},
): Patch => ({
  applyTo: 'NETWORK_FILTER',
  match: { context, listener: { filterChain: { ...filterChain, filter: { name: HTTP_MANAGER } } } },
  patch: {
    operation: 'MERGE',
    value: {
      typed_config: {
        '@type':
          'type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager',
        ...value,
      },
    },
  },
})

export const answer = (status: number, code: string, message: string) => ({
  filter: {
    status_code_filter: {
      comparison: { op: 'EQ', value: { default_value: status, runtime_key: `regctl.local_reply.${status}` } },
    },
  },
  body_format_override: {
    content_type: 'application/json',
    json_format: { errors: [{ code, message }] },
  },
})

/** Whoever comes by an exposed host is not who is refused: its gateway is. */
const outside = ({ filter, ...rest }: ReturnType<typeof answer>) => ({
  filter: {
    and_filter: { filters: [filter, { header_filter: { header: { name: EXPOSED_HEADER, present_match: true } } }] },
  },
  ...rest,
})

/**
 * A refusal that explains itself, in the body OCI clients print. Only answers of the proxy itself are mapped, and the
 * only 403 it makes is the policy's. Envoy cannot cut the repository out of the path, so the path stands whole.
 */
export function refusalBody(at: Installation): KubeObject {
  const host = `%REQ(${EXPOSED_HEADER})%`
  const who = '%DOWNSTREAM_PEER_URI_SAN%'
  const what = '%REQ(:METHOD)% %REQ(:PATH)%'
  const replies = (command: string) => ({
    local_reply_config: {
      mappers: [
        outside(
          answer(
            403,
            'DENIED',
            `${host} does not let everybody ${what}; to allow it: regctl expose ${host} REPOSITORY, or for a token regctl grant-external SUBJECT REPOSITORY`,
          ),
        ),
        answer(403, 'DENIED', `${who} may not ${what}; to allow it: ${command}`),
        answer(400, 'UNSUPPORTED', `the registry's proxy does not accept ${what} as it is spelled`),
        answer(503, 'UNAVAILABLE', 'the registry does not answer its proxy; see: regctl status'),
      ],
    },
  })
  const command = 'regctl grant NAMESPACE REPOSITORY'
  return envoyFilter(at, 'refusal-body', at.namespace, REGISTRY, [
    // The first mapper that fits answers, and patches of one filter chain add up in this order.
    ...(servingPorts(at).length > 1
      ? [onRegistryHttp(replies(`${command} --developer user:NAME`), developerPort(at))]
      : []),
    onRegistryHttp(replies(command)),
  ])
}

/** What `connectionSettings` does on Istio 1.31 and later (stack/registry.ts), for the versions before. */
export function pathHardening(at: Installation): KubeObject {
  return envoyFilter(at, 'path-hardening', at.namespace, REGISTRY, [
    onRegistryHttp({
      normalize_path: true,
      merge_slashes: true,
      path_with_escaped_slashes_action: 'REJECT_REQUEST',
      common_http_protocol_options: { idle_timeout: '3s' },
    }),
  ])
}

export const LOOPBACK = {
  v4: { address_prefix: '127.0.0.0', prefix_len: 8 },
  v6: { address_prefix: '::1', prefix_len: 128 },
} as const

/**
 * The node's port 5000: nobody shares it by SO_REUSEPORT, only loopback sources get through, and [::1] is held too.
 * ::1 is a listener of its own, so that a kernel without IPv6 loses only that one.
 */
export function nodeListener(at: Installation): KubeObject {
  const match = { context: 'SIDECAR_OUTBOUND', listener: { portNumber: at.port } }
  return envoyFilter(at, 'node-listener', nodeNamespace(at), NODE_PROXY, [
    { applyTo: 'LISTENER', match, patch: { operation: 'MERGE', value: { enable_reuse_port: false } } },
    {
      applyTo: 'FILTER_CHAIN',
      match,
      patch: { operation: 'MERGE', value: { filter_chain_match: { source_prefix_ranges: [LOOPBACK.v4] } } },
    },
    {
      applyTo: 'LISTENER',
      match: { context: 'SIDECAR_OUTBOUND' },
      patch: { operation: 'ADD', value: ipv6Listener(at) },
    },
  ])
}

/** A kernel without IPv6 cannot have the listener on ::1, and nobody else can; a port somebody holds is another matter. */
export function lacksIpv6(rejected: { readonly listener: string; readonly details: string }): boolean {
  return (
    /^(registry_ipv6|::1)_/.test(rejected.listener) &&
    /malformed IP address|Cannot assign requested address|Address family not supported/.test(rejected.details)
  )
}

function ipv6Listener(at: Installation): Readonly<Record<string, unknown>> {
  return {
    name: `registry_ipv6_${at.port}`,
    address: { socket_address: { address: '::1', port_value: at.port } },
    enable_reuse_port: false,
    // Binds where the node has no ::1 as well: a refused listener would keep the whole proxy from getting ready.
    freebind: true,
    traffic_direction: 'OUTBOUND',
    filter_chains: [
      {
        filter_chain_match: { source_prefix_ranges: [LOOPBACK.v6] },
        filters: [
          {
            name: 'envoy.filters.network.tcp_proxy',
            typed_config: {
              '@type': 'type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy',
              stat_prefix: 'registry_ipv6',
              cluster: `outbound|${at.port}||${serviceHost(at)}`,
            },
          },
        ],
      },
    ],
  }
}
