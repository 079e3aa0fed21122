import { scopeOf } from '../external/grant.ts'
import { developerPort, type Installation } from '../installation.ts'
import type { KubeObject } from '../kube-object.ts'
import { isWithin } from '../repository.ts'
import { isForeign, privateOnes, TENANT_LABEL, type Tenant, type Tenants, tenantOf } from '../tenant/tenants.ts'
import { authorizationPolicy, type Rule } from './authorization-policy.ts'
import { exposedPaths, exposePrincipal, principalsIn } from './exposure.ts'
import { nodePrincipal } from './fence.ts'
import type { Given } from './given.ts'
import { type Grant, grantPaths } from './grant.ts'
import { type Identity, principalOf } from './identity.ts'

export const privateName = (tenant: string): string => `private-${tenant}`

/**
 * Keeps a private tenant's repositories to its own identities, whatever grants or others' policies allow: a writer reads
 * everything, and this is where that ends. Nodes read on, because a pull says nothing of the pod it is for.
 * Whoever has a share or a grant in there keeps what that gives and no more.
 */
export function privatePolicy(
  at: Installation,
  tenant: Pick<Tenant, 'namespace'>,
  { shares }: Pick<Tenants, 'shares'>,
  { grants, ...outside }: Given,
): KubeObject {
  const { namespace } = tenant
  const guests = [
    ...guestsOf(
      shares.filter((share) => tenantOf(share.repository) === namespace),
      grants.filter((grant) => isForeign(grant, namespace)),
    ),
    ...gatewaysOf(at, namespace, outside),
  ]
  const ports = [String(at.port), String(developerPort(at))]
  const paths = [`/v2/${namespace}/*`]
  const known = [nodePrincipal(at), principalOf({ namespace }), ...guests.map(({ principal }) => principal)].sort()
  // Guests with the same rights stand in one rule: a base image may be shared with everybody.
  const alike = Map.groupBy(guests, ({ open, others }) => JSON.stringify([open, others]))
  const rules: readonly Rule[] = [
    { from: [{ source: { notPrincipals: known } }], to: [{ operation: { ports, paths } }] },
    ...[...alike.values()].map((some): Rule => {
      const { open = [], others = [] } = some[0] ?? {}
      const source = {
        principals: some.map(({ principal }) => principal).sort(),
        ...(others.length === 0 ? {} : { notPrincipals: others }),
      }
      return { from: [{ source }], to: [{ operation: { ports, paths, notPaths: open } }] }
    }),
  ]
  return authorizationPolicy(
    at,
    privateName(namespace),
    { action: 'DENY', rules },
    { labels: { [TENANT_LABEL]: namespace } },
  )
}

/**
 * Gateways to which somebody exposed a repository of the tenant's by its name, or for whose callers there are grants in it.
 * What is exposed as a whole is not what is private. Whose token gives what, the fence says.
 */
function gatewaysOf(
  at: Installation,
  tenant: string,
  { exposures, external }: Pick<Given, 'exposures' | 'external'>,
): readonly Guest[] {
  const granted = external
    .filter(({ repository }) => isWithin(repository, tenant))
    .map(scopeOf)
    .flatMap(grantPaths)
  return principalsIn(exposures).flatMap((principal) => {
    const named = exposures
      .filter(({ principals, repositories }) => principals.includes(principal) && repositories.length > 0)
      .flatMap(exposedPaths)
      .filter((path) => path.startsWith(`/v2/${tenant}/`))
    const open = [...new Set([...named, ...(principal === exposePrincipal(at) ? granted : [])])].sort()
    return open.length === 0 ? [] : [{ principal, open, others: [] }]
  })
}

type Guest = { readonly principal: string; readonly open: readonly string[]; readonly others: readonly string[] }

/** Everybody else who gets something there: the paths, and identities that are a guest's too but have their own rule. */
function guestsOf(shares: Tenants['shares'], grants: readonly Grant[]): readonly Guest[] {
  const identities = new Map<string, Identity>()
  for (const { namespace } of shares) identities.set(principalOf({ namespace }), { namespace })
  for (const { namespace, serviceAccount } of grants) {
    const identity = serviceAccount === undefined ? { namespace } : { namespace, serviceAccount }
    identities.set(principalOf(identity), identity)
  }
  return [...identities].map(([principal, identity]) => ({
    principal,
    open: [
      ...new Set([
        ...shares.filter((one) => one.namespace === identity.namespace).map(({ repository }) => `/v2/${repository}/*`),
        ...grants
          .filter((grant) => grant.namespace === identity.namespace)
          .filter(({ serviceAccount }) => serviceAccount === undefined || serviceAccount === identity.serviceAccount)
          .flatMap(grantPaths),
      ]),
    ].sort(),
    others:
      identity.serviceAccount !== undefined
        ? []
        : [...identities]
            .filter(([other, { namespace }]) => namespace === identity.namespace && other !== principal)
            .map(([other]) => other)
            .sort(),
  }))
}

/** One policy for each private tenant. */
export const privatePolicies = (at: Installation, tenants: Tenants, given: Given): readonly KubeObject[] =>
  privateOnes(tenants).map((tenant) => privatePolicy(at, tenant, tenants, given))
