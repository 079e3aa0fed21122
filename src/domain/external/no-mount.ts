import { type Installation, REGISTRY } from '../installation.ts'
import type { KubeObject } from '../kube-object.ts'
import { HTTP_MANAGER, type Patch } from '../stack/envoy-filter.ts'
import { filterRef, grantsFilter } from './filter.ts'

const NAME = 'no-mount-from-outside'

export const noMountRef = ({ namespace }: Pick<Installation, 'namespace'>) => filterRef(namespace, NAME)

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
  const rules = {
    action: 'DENY',
    policies: {
      [NAME]: {
        // Whatever the mesh's trust domain and its aliases are called.
        principals: [{ authenticated: { principal_name: { suffix: identity } } }],
        permissions: [
          { and_rules: { rules: [header(':method', { exact: 'POST' }), { or_rules: { rules: carriesMore } }] } },
        ],
      },
    },
  }
  const rbac = 'type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC'
  const router = { name: HTTP_MANAGER, subFilter: { name: 'envoy.filters.http.router' } }
  const patch: Patch = {
    applyTo: 'HTTP_FILTER',
    match: {
      context: 'SIDECAR_INBOUND',
      listener: { filterChain: { destinationPort: at.port, filter: router } },
    },
    patch: {
      operation: 'INSERT_BEFORE',
      value: { name: 'regctl.no-mount', typed_config: { '@type': rbac, rules } },
    },
  }
  return grantsFilter(at, noMountRef(at), REGISTRY, patch, resourceVersion)
}
