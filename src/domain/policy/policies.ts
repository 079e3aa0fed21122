import type { Installation } from '../installation.ts'
import type { KubeObject, OwnerReference } from '../kube-object.ts'
import { NO_TENANTS, type Tenants } from '../tenant/tenants.ts'
import { closedTenants } from './closed.ts'
import { FENCE, fence, namespaceFence, writesName } from './fence.ts'
import type { Given } from './given.ts'
import { privateName, privatePolicies } from './private.ts'
import { namespaceReads, readsName } from './reads.ts'

/**
 * What follows from grants, exposures and tenants at the registry's proxy, besides the ALLOW of each. In the order to write
 * it: first what keeps a namespace within its bounds, then what the fence of all leaves to those; what is not wanted any
 * more goes after it.
 */
export function followingPolicies(
  at: Installation,
  given: Given,
  tenants: Tenants = NO_TENANTS,
  /** The Namespace object of each granted namespace. */
  owners: ReadonlyMap<string, OwnerReference> = new Map(),
): readonly KubeObject[] {
  const { grants } = given
  const names = [...new Set(grants.map(({ namespace }) => namespace))]
  const closed = closedTenants(tenants, grants)
  return [
    ...names.filter((name) => !closed.includes(name)).map((name) => namespaceFence(at, name, grants, owners.get(name))),
    ...privatePolicies(at, tenants, given),
    fence(at, given, closed),
    ...names.flatMap((name) => namespaceReads(at, name, grants, owners.get(name)) ?? []),
  ]
}

const NAMES = [FENCE, ...[writesName, readsName, privateName].map((name) => name(''))]

/** Is it one of those, by its name? */
export const isFollowing = ({ kind, metadata }: Pick<KubeObject, 'kind' | 'metadata'>): boolean =>
  kind === 'AuthorizationPolicy' &&
  NAMES.some((name) => (name.endsWith('-') ? metadata.name.startsWith(name) : metadata.name === name))
