import type { Installation } from '../../domain/installation.ts'
import type { KubeObject, OwnerReference } from '../../domain/kube-object.ts'
import { GRANT_LABEL, type Grant, grantOf } from '../../domain/policy/grant.ts'
import type { Kube } from '../../ports.ts'
import { isOurs } from '../cluster/ownership.ts'

const POLICY = { apiVersion: 'security.istio.io/v1', kind: 'AuthorizationPolicy' } as const

/** The grants in force, read from their policies. */
export async function readGrants(kube: Kube, at: Pick<Installation, 'namespace'>): Promise<readonly Grant[]> {
  return grantsIn(await grantPolicies(kube, at))
}

export const grantsIn = (policies: readonly KubeObject[]): readonly Grant[] =>
  policies.flatMap((policy) => grantOf(policy) ?? [])

/** The grants of one namespace; no other one's change what it may do. */
export const grantsOf = (namespace: string, grants: readonly Grant[]): readonly Grant[] =>
  grants.filter((grant) => grant.namespace === namespace)

export async function grantPolicies(kube: Kube, at: Pick<Installation, 'namespace'>): Promise<readonly KubeObject[]> {
  const policies = await kube.list(POLICY, { namespace: at.namespace, labelSelector: GRANT_LABEL })
  return policies.filter((policy) => isOurs(policy, at) && policy.metadata.deletionTimestamp === undefined)
}

/** The owner under which a grant goes with its namespace. */
export function ownerOf(namespace: KubeObject): OwnerReference {
  return { apiVersion: 'v1', kind: 'Namespace', name: namespace.metadata.name, uid: namespace.metadata.uid ?? '' }
}

export const namespaceRef = (name: string) => ({ apiVersion: 'v1', kind: 'Namespace', name }) as const
