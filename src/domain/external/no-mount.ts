import { type Installation, ownerLabels, registrySelector } from '../installation.ts'
import type { KubeObject } from '../kube-object.ts'
import { EXTERNAL_LABEL } from './grant.ts'

const NAME = 'no-mount-from-outside'

export const noMountRef = ({ namespace }: Pick<Installation, 'namespace'>) => ({
  apiVersion: 'networking.istio.io/v1alpha3',
  kind: 'EnvoyFilter',
  namespace,
  name: NAME,
})

const header = (name: string, string_match: object) => ({ header: { name, string_match } })

/**
 * Who comes by the gateway may push without being allowed to read all, and a cross-repository mount is a read. Its source is in
 * the query or a form, which no AuthorizationPolicy sees. Clients that are refused one upload the layer instead.
 */
export function noMount(at: Installation, gateway: string, resourceVersion?: string): KubeObject {
  const [, identity = ''] = /^[^/]+(\/.*)$/.exec(gateway) ?? []
  // The query as it stands: however a parameter is spelled there, the registry would decode it.
  const carriesMore = [
    header(':path', { contains: '?' }),
    header('content-type', { contains: 'x-www-form-urlencoded', ignore_case: true }),
    header('content-type', { contains: 'multipart/', ignore_case: true }),
  ]
  const { apiVersion, kind, ...place } = noMountRef(at)
  return {
    apiVersion,
    kind,
    metadata: {
      ...place,
      labels: { ...ownerLabels(at), [EXTERNAL_LABEL]: 'all' },
      ...(resourceVersion === undefined ? {} : { resourceVersion }),
    },
    spec: {
      workloadSelector: { labels: registrySelector.matchLabels },
      configPatches: [
        {
          applyTo: 'HTTP_FILTER',
          match: {
            context: 'SIDECAR_INBOUND',
            listener: {
              filterChain: {
                destinationPort: at.port,
                filter: {
                  name: 'envoy.filters.network.http_connection_manager',
                  subFilter: { name: 'envoy.filters.http.router' },
                },
              },
            },
          },
          patch: {
            operation: 'INSERT_BEFORE',
            value: {
              name: 'regctl.no-mount',
              typed_config: {
                '@type': 'type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC',
                rules: {
                  action: 'DENY',
                  policies: {
                    [NAME]: {
                      // Whatever the mesh's trust domain and its aliases are called.
                      principals: [{ authenticated: { principal_name: { suffix: identity } } }],
                      permissions: [
                        {
                          and_rules: {
                            rules: [header(':method', { exact: 'POST' }), { or_rules: { rules: carriesMore } }],
                          },
                        },
                      ],
                    },
                  },
                },
              },
            },
          },
        },
      ],
    },
  }
}
