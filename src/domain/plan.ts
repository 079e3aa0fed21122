import { isDeepStrictEqual } from 'node:util'
import type { KubeObject, ObjectRef } from './kube-object.ts'

export type Action = 'create' | 'update' | 'unchanged' | 'remove'

/** One object's part of a plan; `before` and `after` without what the API server fills in on its own. */
export type Change = {
  readonly ref: ObjectRef
  readonly action: Action
  readonly before?: KubeObject
  readonly after?: KubeObject
}

/** Fields the server keeps for itself; they differ from one read to the next. */
const VOLATILE = new Set(['managedFields', 'resourceVersion', 'generation', 'uid', 'creationTimestamp'])

/** An object as a person compares it: without status and the server's own metadata. */
export function comparable(object: KubeObject): KubeObject {
  const { status: _status, ...rest } = object as KubeObject & { status?: unknown }
  const metadata = Object.fromEntries(Object.entries(object.metadata).filter(([key]) => !VOLATILE.has(key)))
  return { ...rest, metadata: metadata as unknown as KubeObject['metadata'] } as KubeObject
}

export function changeOf(ref: ObjectRef, live: KubeObject | undefined, wanted: KubeObject): Change {
  const after = comparable(wanted)
  if (live === undefined) return { ref, action: 'create', after }
  const before = comparable(live)
  return { ref, action: isDeepStrictEqual(before, after) ? 'unchanged' : 'update', before, after }
}
