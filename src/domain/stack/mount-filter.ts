import { type Installation, ownerLabels, REGISTRY } from '../installation.ts'
import type { KubeObject } from '../kube-object.ts'
import { TENANT_LABEL } from '../tenant/tenants.ts'

export const MOUNT_FILTER = 'no-mounts'

const header = (name: string, regex: string) => ({ header: { name, string_match: { safe_regex: { regex } } } })

/**
 * A cross-repository mount takes a blob of any repository by its name, and the name stands in the query or in a form,
 * where no AuthorizationPolicy looks. With private repositories it is refused; clients upload the blob instead.
 * Of queries only the digest passes that closes an upload in one request.
 */
export function mountFilter(at: Installation): KubeObject {
  const carriesMount = {
    or_rules: {
      rules: [
        {
          and_rules: {
            rules: [
              header(':path', '[^?]*[?].*'),
              { not_rule: header(':path', '[^?]*[?]digest=[a-z0-9]+(:|%3[Aa])[0-9a-f]+') },
            ],
          },
        },
        header('content-type', '(?i).*(x-www-form-urlencoded|multipart/).*'),
      ],
    },
  }
  return {
    apiVersion: 'networking.istio.io/v1alpha3',
    kind: 'EnvoyFilter',
    metadata: {
      name: MOUNT_FILTER,
      namespace: at.namespace,
      labels: { ...ownerLabels(at), [TENANT_LABEL]: '' },
    },
    spec: {
      workloadSelector: { labels: { app: REGISTRY } },
      configPatches: [
        {
          applyTo: 'HTTP_FILTER',
          match: {
            context: 'SIDECAR_INBOUND',
            listener: {
              filterChain: {
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
              name: 'regctl.no-mounts',
              typed_config: {
                '@type': 'type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC',
                rules: {
                  action: 'DENY',
                  policies: {
                    'cross-repository-mount': {
                      principals: [{ any: true }],
                      permissions: [
                        {
                          and_rules: {
                            rules: [{ not_rule: header(':method', 'GET|HEAD|PUT|PATCH|DELETE') }, carriesMount],
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
