import { isDeepStrictEqual } from 'node:util'
import type { Installation } from '../../domain/installation.ts'
import { describeRef, type KubeObject, refKey, refOf } from '../../domain/kube-object.ts'
import { belongsTo } from '../../domain/ownership.ts'
import { tenantObjects } from '../../domain/stack/tenants.ts'
import { TENANT_LABEL, tenantsOf, tenantsRef } from '../../domain/tenant/tenants.ts'
import { clusterError, conflictError, RegctlError } from '../../errors.ts'
import type { Kube, ResourceType } from '../../ports.ts'
import { meshNamespace } from '../cluster/mesh.ts'
import { isOurs } from '../cluster/ownership.ts'
import { readGiven } from './given.ts'
import { dropEmptyRecord, tenantsRecord } from './state.ts'

const ROUNDS = 50

const ADMISSION = 'admissionregistration.k8s.io/v1'

const POLICY: ResourceType = { apiVersion: 'security.istio.io/v1', kind: 'AuthorizationPolicy' }

/** What there can be for the sake of tenants besides the record, in the order to remove it. */
const TYPES: readonly ResourceType[] = [
  { apiVersion: ADMISSION, kind: 'ValidatingAdmissionPolicyBinding' },
  { apiVersion: ADMISSION, kind: 'ValidatingAdmissionPolicy' },
  { apiVersion: 'networking.istio.io/v1alpha3', kind: 'EnvoyFilter' },
  POLICY,
]

/** What differs from what the record and the grants say. */
export type Drift = { readonly write: readonly KubeObject[]; readonly remove: readonly KubeObject[] }

/**
 * Makes policies, admission and the filter follow the record and the grants that are in the cluster now. The objects are
 * read before those are, and written only if nobody wrote them since; afterwards both are read again. A change at the
 * same time is then seen by one of the writers, never by none.
 */
export async function settleTenants(kube: Kube, at: Installation, types = TYPES): Promise<void> {
  for (let round = 0; round < ROUNDS; round++) {
    try {
      const before = await stamp(kube, at)
      const { write, remove } = await tenantDrift(kube, at, types)
      for (const object of remove) await kube.remove(refOf(object), meant(object))
      let isDone = true
      for (const object of write) isDone = (await put(kube, at, object)) && isDone
      if (types === TYPES) await dropEmptyRecord(kube, at)
      const after = await stamp(kube, at)
      if (isDone && (after === undefined || after === before)) return
    } catch (error) {
      if (!(error instanceof RegctlError) || error.code !== 'CONFLICT_CHANGED') throw error
    }
  }
  throw clusterError(
    'TENANTS_BUSY',
    `${describeRef(tenantsRef(at))} was changed ${ROUNDS} times while regctl followed it`,
    { suggestions: ['run the command again'] },
  )
}

/**
 * The same after a grant or an exposure came or went, for those who may write the registry's policies and nothing of the cluster's. A grant
 * in somebody's repositories, where it was accepted, is known to these policies alone.
 */
export async function settlePrivate(kube: Kube, at: Installation): Promise<void> {
  if ((await tenantsRecord(kube, at)) !== undefined) await settleTenants(kube, at, [POLICY])
}

/** Compares what there is with what should be; writes nothing. */
export async function tenantDrift(kube: Kube, at: Installation, types = TYPES): Promise<Drift> {
  const live = await liveOnes(kube, at, types)
  const isAll = types === TYPES
  const [record, given, mesh] = await Promise.all([
    tenantsRecord(kube, at),
    readGiven(kube, at),
    isAll ? meshNamespace(kube) : '',
  ])
  const all = tenantObjects(at, tenantsOf(record), given, mesh)
  const wanted = all.filter(({ kind }) => types.some((type) => type.kind === kind))
  const known = new Map(live.map((object) => [refKey(refOf(object)), object]))
  const keep = new Set(wanted.map((object) => refKey(refOf(object))))
  return {
    write: wanted.flatMap((object) => {
      const found = known.get(refKey(refOf(object)))
      if (found !== undefined && includes(found.spec, object.spec)) return []
      return [found === undefined ? object : { ...object, metadata: { ...object.metadata, ...meant(found) } }]
    }),
    remove: live.filter((object) => !keep.has(refKey(refOf(object)))),
  }
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

const meant = ({ metadata: { uid, resourceVersion } }: KubeObject) => ({
  ...(uid === undefined ? {} : { uid }),
  ...(resourceVersion === undefined ? {} : { resourceVersion }),
})

/** False where somebody else made it in this moment: it is to be compared. */
async function put(kube: Kube, at: Installation, object: KubeObject): Promise<boolean> {
  if (object.metadata.uid !== undefined) return (await kube.apply(object, { force: true })) !== undefined
  if ((await kube.create(object)) !== undefined) return true
  const found = await kube.get(refOf(object))
  if (found === undefined || isOurs(found, at)) return false
  throw conflictError('NOT_OURS', `${describeRef(refOf(object))} exists and is not regctl's`, {
    suggestions: [`kubectl get ${object.kind.toLowerCase()} ${object.metadata.name} -o yaml`],
  })
}

async function liveOnes(kube: Kube, at: Installation, types: readonly ResourceType[]): Promise<readonly KubeObject[]> {
  const lists = await Promise.all(
    types.map((type) =>
      kube.list(type, { labelSelector: TENANT_LABEL, ...(type === POLICY ? { namespace: at.namespace } : {}) }),
    ),
  )
  return lists.flat().filter((object) => belongsTo(at, object))
}

/** Changes with the record and with the grants; undefined where there is no record. */
async function stamp(kube: Kube, at: Installation): Promise<string | undefined> {
  const record = await tenantsRecord(kube, at)
  if (record === undefined) return undefined
  return JSON.stringify([record.data, await readGiven(kube, at)])
}
