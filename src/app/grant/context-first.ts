import type { Installation } from '../../domain/installation.ts'
import { describeRef, type KubeObject, refOf } from '../../domain/kube-object.ts'
import { buildNamespaces, contextFirst, type MutationApi } from '../../domain/stack/context-first.ts'
import { conflictError, RegctlError } from '../../errors.ts'
import type { Kube } from '../../ports.ts'
import { mutationApi } from '../cluster/mutation.ts'
import { isOurs } from '../cluster/ownership.ts'
import { together } from '../cluster/together.ts'
import { ownerOf, readGrants } from './grants.ts'

/**
 * Has the order of init containers follow the namespaces' grants, where the cluster can be told so. It needs rights beyond
 * the namespace, which a grant does not: without them only Skaffold's own Kaniko pods miss something, and that is said.
 */
export async function settleContextFirst(
  kube: Kube,
  at: Installation,
  namespaces: readonly KubeObject[],
): Promise<Outcome> {
  const api = await mutationApi(kube)
  if (api === undefined) return { changed: false, warnings: [] }
  const outcomes: Outcome[] = []
  const wanted = async () => new Set(buildNamespaces(await readGrants(kube, at)))
  // Reads the grants again after it wrote: a concurrent grant or revoke is then seen by one of the two, never by none.
  let [left, now] = [namespaces, await wanted()]
  while (left.length > 0) {
    outcomes.push(...(await together(left, (one) => follow(kube, at, one, api, now.has(one.metadata.name)))))
    const after = await wanted()
    left = left.filter(({ metadata: { name } }) => after.has(name) !== now.has(name))
    now = after
  }
  return {
    changed: outcomes.some(({ changed }) => changed),
    warnings: [...new Set(outcomes.flatMap(({ warnings }) => warnings))],
  }
}

type Outcome = { readonly changed: boolean; readonly warnings: readonly string[] }

async function follow(
  kube: Kube,
  at: Installation,
  namespace: KubeObject,
  api: MutationApi,
  isWanted: boolean,
): Promise<Outcome> {
  const objects = contextFirst(at, namespace.metadata.name, api, ownerOf(namespace))
  let changed = false
  try {
    for (const object of isWanted ? objects : [...objects].reverse())
      changed = (await (isWanted ? put(kube, at, object) : take(kube, at, object))) || changed
    return { changed, warnings: [] }
  } catch (error) {
    if (!(error instanceof RegctlError) || !['FORBIDDEN', 'NOT_OURS'].includes(error.code)) throw error
    return { changed, warnings: [`Skaffold's own Kaniko pods are not taken care of: ${error.message}`] }
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
