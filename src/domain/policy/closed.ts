import { privateOnes, type Tenants, tenantGrant, tenantOf } from '../tenant/tenants.ts'
import { type Grant, grantKey, isDeveloper } from './grant.ts'

/**
 * Private tenants that have their own repositories, nothing else, and nobody else in them: no share, no grant, no developer
 * goes across their bounds. For them what keeps others out of theirs and them out of others' is the same, so few rules
 * do for all of them; Envoy asks each rule of each request.
 */
export function closedTenants(tenants: Tenants, grants: readonly Grant[]): readonly string[] {
  const shared = new Set(tenants.shares.flatMap(({ repository, namespace }) => [tenantOf(repository), namespace]))
  const own = Map.groupBy(grants, ({ namespace }) => namespace)
  const within = Map.groupBy(grants, ({ repository }) => tenantOf(repository))
  return privateOnes(tenants)
    .map(({ namespace }) => namespace)
    .filter((name) => {
      const all = [...(own.get(name) ?? []), ...(within.get(name) ?? [])]
      return (
        !shared.has(name) &&
        all.every((grant) => grant.namespace === name && tenantOf(grant.repository) === name && !isDeveloper(grant)) &&
        all.some((grant) => grantKey(grant) === grantKey(tenantGrant(name, null)))
      )
    })
    .sort()
}

/** All that is below the closed tenants' names. */
export const closedPaths = (closed: readonly string[]): readonly string[] => closed.map((name) => `/v2/${name}/*`)
