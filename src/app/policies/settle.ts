import { isDeepStrictEqual } from 'node:util'
import type { Installation } from '../../domain/installation.ts'
import { describeRef, type KubeObject, refOf } from '../../domain/kube-object.ts'
import { clusterError, conflictError, RegctlError } from '../../errors.ts'
import type { Kube } from '../../ports.ts'
import { isOurs } from '../cluster/ownership.ts'
import { together } from '../cluster/together.ts'
import { dropEmptyRecord } from '../tenant/state.ts'
import { type Drift, type Followed, meant, policyDrift, readFollowed, tenantDrift } from './drift.ts'

/** More rounds than there can be people at it in one moment. */
const ROUNDS = 50

/**
 * Makes the policies at the registry's proxy follow the grants, the exposures and the tenants that are in the cluster now;
 * for those who may write the registry's policies and nothing of the cluster's.
 */
export const settlePolicies = (kube: Kube, at: Installation): Promise<void> => settle(kube, at, policyDrift)

/** The same, with admission and the filter that tenants need. */
export const settleTenants = (kube: Kube, at: Installation): Promise<void> =>
  settle(kube, at, tenantDrift, () => dropEmptyRecord(kube, at))

/**
 * The objects are read before what they follow, and written only if nobody wrote them since; afterwards that is read
 * again. A change at the same time is then seen by one of the writers, never by none.
 */
async function settle(
  kube: Kube,
  at: Installation,
  driftOf: (kube: Kube, at: Installation) => Promise<Drift & Followed>,
  tidy: () => Promise<void> = async () => {},
): Promise<void> {
  for (let round = 0; round < ROUNDS; round++) {
    try {
      const { write, remove, ...followed } = await driftOf(kube, at)
      const written: boolean[] = []
      for (const alike of stages(write)) written.push(...(await together(alike, (object) => put(kube, at, object))))
      for (const alike of stages(remove)) await together(alike, (object) => kube.remove(refOf(object), meant(object)))
      await tidy()
      if (!written.includes(false) && isDeepStrictEqual(await readFollowed(kube, at), followed)) return
    } catch (error) {
      if (!(error instanceof RegctlError) || error.code !== 'CONFLICT_CHANGED') throw error
    }
  }
  throw clusterError(
    'POLICIES_BUSY',
    `the policies of ${describeRef({ apiVersion: 'v1', kind: 'Namespace', name: at.namespace })}, or what they follow, were changed ${ROUNDS} times while regctl followed it`,
    { suggestions: ['run the command again'] },
  )
}

/** Objects of one sort need not wait for each other. */
const stages = (objects: readonly KubeObject[]): Iterable<readonly KubeObject[]> =>
  Map.groupBy(objects, ({ kind, metadata }) => `${kind} ${metadata.name.split('-')[0]}`).values()

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
