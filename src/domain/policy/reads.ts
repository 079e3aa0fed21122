import type { Installation } from '../installation.ts'
import type { KubeObject, OwnerReference } from '../kube-object.ts'
import { authorizationPolicy, type Rule } from './authorization-policy.ts'
import { principalsOf } from './fence.ts'
import { GRANT_LABEL, type Grant, grantPort, isDeveloper, LISTINGS, READ } from './grant.ts'

/** Envoy goes by name: after the grants and the nodes, whose rules decide most requests and cost less. */
export const readsName = (namespace: string): string => `reads-${namespace}`

/**
 * Whoever in a namespace may write somewhere may read what nodes read, so a cross-repository mount (its source is in the
 * query, which no AuthorizationPolicy can see) gives nothing it does not have. Undefined where nobody may write.
 */
export function namespaceReads(
  at: Installation,
  namespace: string,
  grants: readonly Grant[],
  owner?: OwnerReference,
): KubeObject | undefined {
  const writers = grants.filter((grant) => grant.namespace === namespace && !grant.readOnly)
  const everything = (some: readonly Grant[]): readonly Rule[] => {
    const [first] = some
    if (first === undefined) return []
    const ports = [String(grantPort(at, first))]
    const operation = { ports, methods: READ, paths: ['/v2/', '/v2/*'], notPaths: LISTINGS }
    return [{ from: [{ source: { principals: principalsOf(some) } }], to: [{ operation }] }]
  }
  const rules = [
    ...everything(writers.filter((grant) => !isDeveloper(grant))),
    ...everything(writers.filter(isDeveloper)),
  ]
  if (rules.length === 0) return undefined
  return authorizationPolicy(
    at,
    readsName(namespace),
    { action: 'ALLOW', rules },
    { labels: { [GRANT_LABEL]: namespace }, ...(owner === undefined ? {} : { owner }) },
  )
}
