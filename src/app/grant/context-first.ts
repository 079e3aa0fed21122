import type { Installation } from '../../domain/installation.ts'
import { describeRef, type KubeObject, refOf } from '../../domain/kube-object.ts'
import { buildNamespaces, contextFirst } from '../../domain/stack/context-first.ts'
import { conflictError, RegctlError } from '../../errors.ts'
import type { Kube } from '../../ports.ts'
import { mutationApi } from '../cluster/mutation.ts'
import { isOurs } from '../cluster/ownership.ts'
import { ownerOf, readGrants } from './grants.ts'

/**
 * Has the order of init containers follow the namespace's grants, where the cluster can be told so. It needs rights beyond
 * the namespace, which a grant does not: without them only Skaffold's own Kaniko pods miss something, and that is said.
 */
export async function settleContextFirst(
  kube: Kube,
  at: Installation,
  namespace: KubeObject,
): Promise<{ readonly changed: boolean; readonly warnings: readonly string[] }> {
  const api = await mutationApi(kube)
  if (api === undefined) return { changed: false, warnings: [] }
  const objects = contextFirst(at, namespace.metadata.name, api, ownerOf(namespace))
  try {
    return { changed: await follow(kube, at, namespace.metadata.name, objects), warnings: [] }
  } catch (error) {
    if (!(error instanceof RegctlError) || !['FORBIDDEN', 'NOT_OURS'].includes(error.code)) throw error
    return { changed: false, warnings: [`Skaffold's own Kaniko pods are not taken care of: ${error.message}`] }
  }
}

/** Reads the grants again after it wrote: a concurrent grant or revoke is then seen by one of the two, never by none. */
async function follow(kube: Kube, at: Installation, name: string, objects: readonly KubeObject[]): Promise<boolean> {
  const wanted = async () => buildNamespaces(await readGrants(kube, at)).includes(name)
  let changed = false
  for (;;) {
    const now = await wanted()
    for (const object of now ? objects : [...objects].reverse())
      changed = (await (now ? put(kube, at, object) : take(kube, at, object))) || changed
    if ((await wanted()) === now) return changed
  }
}

async function put(kube: Kube, at: Installation, object: KubeObject): Promise<boolean> {
  const before = await kube.get(refOf(object))
  if (before !== undefined && !isOurs(before, at))
    throw conflictError('NOT_OURS', `${describeRef(refOf(object))} exists and is not regctl's`)
  const after = await kube.apply(object, { force: true })
  return after.metadata.resourceVersion !== before?.metadata.resourceVersion
}

async function take(kube: Kube, at: Installation, object: KubeObject): Promise<boolean> {
  const found = await kube.get(refOf(object))
  return found !== undefined && isOurs(found, at) && kube.remove(refOf(object))
}
