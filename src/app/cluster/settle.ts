import { describeRef, type KubeObject, type ObjectRef } from '../../domain/kube-object.ts'
import { clusterError, RegctlError } from '../../errors.ts'
import type { Kube } from '../../ports.ts'

/** More rounds than there can be people at it in one moment. */
const ROUNDS = 50

/**
 * Makes an object follow what it is derived from. It is read before that is, and written only if nobody wrote it since: of two
 * who change what it is derived from at least one sees both.
 * @param wanted what the object is to be now, with the version it may replace; undefined where there is to be none
 */
export async function settle(
  kube: Kube,
  ref: ObjectRef,
  wanted: (before: KubeObject | undefined, resourceVersion: string | undefined) => Promise<KubeObject | undefined>,
): Promise<void> {
  for (let round = 0; round < ROUNDS; round++) {
    const before = await kube.get(ref)
    const object = await wanted(before, before?.metadata.resourceVersion)
    const uid = before?.metadata.uid
    try {
      if (object !== undefined && before === undefined) {
        if ((await kube.create(object)) !== undefined) return
      } else if (object !== undefined) {
        // With a version alone the API server would make one again that another writer has just removed.
        const meant = uid === undefined ? object.metadata : { ...object.metadata, uid }
        await kube.apply({ ...object, metadata: meant }, { force: true })
        return
      } else {
        if (before !== undefined) await kube.remove(ref, uid === undefined ? {} : { uid })
        // What was added between the reading and the removal wants it back.
        if ((await wanted(undefined, undefined)) === undefined) return
      }
    } catch (error) {
      if (!(error instanceof RegctlError) || error.code !== 'CONFLICT_CHANGED') throw error
    }
  }
  throw clusterError('FENCE_BUSY', `${describeRef(ref)} was changed ${ROUNDS} times while regctl changed it`, {
    suggestions: ['run the command again'],
  })
}
