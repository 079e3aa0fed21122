import { NODES, REGISTRY } from './kit.ts'
import { nodeContext } from './layout.ts'

const filter = (namespace: string, name: string, app: string, configPatch: object): object => ({
  apiVersion: 'networking.istio.io/v1alpha3',
  kind: 'EnvoyFilter',
  metadata: { name, namespace },
  spec: { workloadSelector: { labels: { app } }, configPatches: [configPatch] },
})

/** istiod hands it on, Envoy refuses the registry's whole listener for its regular expression: no policy changes any more. */
export const rejectedByRegistry = (name: string): object =>
  filter(REGISTRY, name, 'kube-registry', {
    applyTo: 'HTTP_FILTER',
    match: {
      context: 'SIDECAR_INBOUND',
      listener: { filterChain: { filter: { name: 'envoy.filters.network.http_connection_manager' } } },
    },
    patch: {
      operation: 'INSERT_FIRST',
      value: {
        name: 'attack',
        typed_config: {
          '@type': 'type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC',
          rules: {
            action: 'DENY',
            policies: {
              bad: {
                principals: [{ any: true }],
                permissions: [{ header: { name: ':path', string_match: { safe_regex: { regex: '(' } } } }],
              },
            },
          },
        },
      },
    },
  })

/** Likewise the listener of every node's port. */
export const rejectedByNodes = (name: string, context = nodeContext()): object =>
  filter(NODES, name, 'registry-node', {
    applyTo: 'FILTER_CHAIN',
    match: { context, listener: { portNumber: 5000 } },
    patch: {
      operation: 'MERGE',
      value: { filter_chain_match: { prefix_ranges: [{ address_prefix: 'no-address', prefix_len: 8 }] } },
    },
  })
