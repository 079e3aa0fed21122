import { FIELD_MANAGER, INSTALLATION_LABEL, type Installation } from '../../domain/installation.ts'
import { OWNED_TYPES } from '../../domain/kinds.ts'
import { describeRef, type KubeObject, type ObjectRef, refKey, refOf } from '../../domain/kube-object.ts'
import { belongsTo } from '../../domain/ownership.ts'
import { isLocalRegistry } from '../../domain/stack/local-registry.ts'
import { conflictError } from '../../errors.ts'
import type { Kube } from '../../ports.ts'

export const isOurs = (object: KubeObject, at: Pick<Installation, 'namespace'>): boolean =>
  object.metadata.labels?.[INSTALLATION_LABEL] === at.namespace

/** Every object of this installation. */
export async function ownedObjects(kube: Kube, at: Pick<Installation, 'namespace'>): Promise<readonly KubeObject[]> {
  const labelSelector = `${INSTALLATION_LABEL}=${at.namespace}`
  const lists = await Promise.all(OWNED_TYPES.map((type) => kube.list(type, { labelSelector })))
  // A type that is served in two versions lists its objects twice.
  const objects = new Map(lists.flat().map((object) => [refKey(refOf(object)), object]))
  return [...objects.values()].filter((object) => belongsTo(at, object))
}

/**
 * The live objects behind `wanted`, none of them somebody else's.
 * @throws conflict error NOT_OURS that names every foreign object
 */
export async function liveObjects(
  kube: Kube,
  at: Installation,
  wanted: readonly KubeObject[],
): Promise<ReadonlyMap<string, KubeObject>> {
  const found = await Promise.all(wanted.map((object) => kube.get(refOf(object))))
  const live = new Map<string, KubeObject>()
  const foreign: ObjectRef[] = []
  for (const object of found) {
    if (object === undefined) continue
    if (isOurs(object, at)) live.set(refKey(refOf(object)), object)
    else foreign.push(refOf(object))
  }
  if (foreign.length === 0) return live
  throw conflictError(
    'NOT_OURS',
    `${foreign.map(describeRef).join(', ')} ${foreign.length === 1 ? 'exists and is' : 'exist and are'} not regctl's`,
    {
      suggestions: foreign.some(isLocalRegistry)
        ? ['regctl up --no-publish-local-registry']
        : [
            'regctl up --namespace ANOTHER',
            `or hand it over: kubectl label ${foreign[0]?.kind.toLowerCase()} ${foreign[0]?.name} ${foreign[0]?.namespace === undefined ? '' : `-n ${foreign[0].namespace} `}${INSTALLATION_LABEL}=${at.namespace}`,
          ],
      details: { objects: foreign, fieldManager: FIELD_MANAGER },
    },
  )
}
