import { isDeepStrictEqual } from 'node:util'
import type { Installation } from '../../domain/installation.ts'
import { type KubeObject, type OwnerReference, refKey, refOf } from '../../domain/kube-object.ts'
import { belongsTo } from '../../domain/ownership.ts'
import type { Given } from '../../domain/policy/given.ts'
import { GRANT_LABEL } from '../../domain/policy/grant.ts'
import { followingPolicies, isFollowing } from '../../domain/policy/policies.ts'
import { tenantObjects } from '../../domain/stack/tenants.ts'
import { TENANT_LABEL, type Tenants } from '../../domain/tenant/tenants.ts'
import type { Kube, ResourceType } from '../../ports.ts'
import { meshNamespace } from '../cluster/mesh.ts'
import { readTenants } from '../tenant/state.ts'
import { readGiven } from './given.ts'

const ADMISSION = 'admissionregistration.k8s.io/v1'

const POLICY: ResourceType = { apiVersion: 'security.istio.io/v1', kind: 'AuthorizationPolicy' }

/** What there can be for the sake of tenants besides policies and the record, in the order to remove it. */
const TENANT_TYPES: readonly ResourceType[] = [
  { apiVersion: ADMISSION, kind: 'ValidatingAdmissionPolicyBinding' },
  { apiVersion: ADMISSION, kind: 'ValidatingAdmissionPolicy' },
  { apiVersion: 'networking.istio.io/v1alpha3', kind: 'EnvoyFilter' },
]

/** What differs from what the record, the grants and the exposures say; each in the order to do it, writing first. */
export type Drift = { readonly write: readonly KubeObject[]; readonly remove: readonly KubeObject[] }

/** What policies follow: who the tenants are, and everything that gives somebody a repository. */
export type Followed = { readonly tenants: Tenants; readonly given: Given }

export async function readFollowed(kube: Kube, at: Installation): Promise<Followed> {
  const [tenants, given] = await Promise.all([readTenants(kube, at), readGiven(kube, at)])
  return { tenants, given }
}

/** Compares the registry's policies with what they should be; writes nothing. */
export async function policyDrift(kube: Kube, at: Installation): Promise<Drift & Followed> {
  const policies = await ownPolicies(kube, at)
  const followed = await readFollowed(kube, at)
  return { ...driftOf(at, policies, followed), ...followed }
}

/** The same, with all else that tenants need. */
export async function tenantDrift(kube: Kube, at: Installation): Promise<Drift & Followed> {
  const [policies, mesh, ...lists] = await Promise.all([
    ownPolicies(kube, at),
    meshNamespace(kube),
    ...TENANT_TYPES.map((type) => kube.list(type, { labelSelector: TENANT_LABEL })),
  ])
  const followed = await readFollowed(kube, at)
  const others = compare(
    tenantObjects(at, followed.tenants, mesh),
    lists.flat().filter((object) => belongsTo(at, object)),
  )
  const { write, remove } = driftOf(at, policies, followed)
  return { write: [...write, ...others.write], remove: [...others.remove, ...remove], ...followed }
}

const ownPolicies = async (kube: Kube, at: Installation): Promise<readonly KubeObject[]> =>
  (await kube.list(POLICY, { namespace: at.namespace })).filter((object) => belongsTo(at, object))

const driftOf = (at: Installation, policies: readonly KubeObject[], { given, tenants }: Followed): Drift =>
  compare(followingPolicies(at, given, tenants, ownersIn(policies)), policies.filter(isFollowing))

/** The Namespace objects under which grants go; what follows from those goes with them. */
const ownersIn = (policies: readonly KubeObject[]): ReadonlyMap<string, OwnerReference> =>
  new Map(
    policies.flatMap(({ metadata: { labels = {}, ownerReferences = [] } }) => {
      const [namespace, owner] = [labels[GRANT_LABEL], ownerReferences[0]]
      return namespace === undefined || owner === undefined ? [] : [[namespace, owner] as const]
    }),
  )

function compare(wanted: readonly KubeObject[], live: readonly KubeObject[]): Drift {
  const known = new Map(live.map((object) => [refKey(refOf(object)), object]))
  const keep = new Set(wanted.map((object) => refKey(refOf(object))))
  return {
    write: wanted.flatMap((object) => {
      const found = known.get(refKey(refOf(object)))
      if (found !== undefined && isAs(found, object)) return []
      return [found === undefined ? object : { ...object, metadata: { ...object.metadata, ...meant(found) } }]
    }),
    remove: live.filter((object) => !keep.has(refKey(refOf(object)))),
  }
}

function isAs(live: KubeObject, wanted: KubeObject): boolean {
  const { ownerReferences = [] } = wanted.metadata
  // Nobody fills in a policy's defaults, so what is there besides changes what it says.
  const isSame = live.kind === POLICY.kind ? isDeepStrictEqual : includes
  return isSame(live.spec, wanted.spec) && includes(live.metadata.ownerReferences ?? [], ownerReferences)
}

/** Does the live value say all that is wanted? The API server fills in defaults besides. */
function includes(live: unknown, wanted: unknown): boolean {
  if (Array.isArray(wanted))
    return (
      Array.isArray(live) && live.length === wanted.length && wanted.every((one, index) => includes(live[index], one))
    )
  if (typeof wanted !== 'object' || wanted === null) return isDeepStrictEqual(live, wanted)
  return (
    typeof live === 'object' &&
    live !== null &&
    Object.entries(wanted).every(([key, value]) => includes((live as Record<string, unknown>)[key], value))
  )
}

/** The very object that was read, as it was. */
export const meant = ({ metadata: { uid, resourceVersion } }: KubeObject) => ({
  ...(uid === undefined ? {} : { uid }),
  ...(resourceVersion === undefined ? {} : { resourceVersion }),
})
