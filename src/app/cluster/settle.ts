import { describeRef, type KubeObject, type ObjectRef } from '../../domain/kube-object.ts'
import { clusterError, RegctlError } from '../../errors.ts'
import type { Kube } from '../../ports.ts'

/** More rounds than there can be people at it in one moment. */
const ROUNDS = 50

/**
 * Makes an object follow what it is made from. It is read before `wanted` reads that, and written only if nobody wrote it
 * since: what others change at the same time is then seen by one of the writers, never by none.
 */
export async function settleObject(
  kube: Kube,
  ref: ObjectRef,
  wanted: (before: KubeObject | undefined) => Promise<KubeObject | undefined>,
  /** By `apply` fields of lists can be taken back later; what a `create` wrote stays when an apply leaves it out. */
  first: 'create' | 'apply' = 'create',
): Promise<void> {
  for (let round = 0; round < ROUNDS; round++) {
    const before = await kube.get(ref)
    const object = await wanted(before)
    const { uid, resourceVersion } = before?.metadata ?? {}
    try {
      if (object !== undefined && before === undefined && first === 'apply') {
        // Over what others may have made meanwhile: the next round writes what is wanted then.
        await kube.apply(object, { force: true })
      } else if (object !== undefined && before === undefined) {
        if ((await kube.create(object)) !== undefined) return
      } else if (object !== undefined) {
        // With a version alone the API server would make an object again that another writer has just removed.
        const meant = {
          ...(uid === undefined ? {} : { uid }),
          ...(resourceVersion === undefined ? {} : { resourceVersion }),
        }
        await kube.apply({ ...object, metadata: { ...object.metadata, ...meant } }, { force: true })
        return
      } else {
        if (before !== undefined) await kube.remove(ref, uid === undefined ? {} : { uid })
        // What came between the reading and the removal wants its object back.
        if ((await wanted(undefined)) === undefined) return
      }
    } catch (error) {
      if (!(error instanceof RegctlError) || error.code !== 'CONFLICT_CHANGED') throw error
    }
  }
  throw clusterError('FENCE_BUSY', `${describeRef(ref)} was changed ${ROUNDS} times while regctl changed it`, {
    suggestions: ['run the command again'],
  })
}
