import { isDeepStrictEqual } from 'node:util'
import { describeRef, type KubeObject, type ObjectRef, refKey, refOf } from '../../src/domain/kube-object.ts'
import type { ListOptions, RemoveOptions, ResourceType } from '../../src/ports.ts'
import { fitsSelector } from './label-selector.ts'
import { type Fields, merged, patched } from './merge.ts'

/** What the API server answers when it refuses: its HTTP status and the Status object. */
export class Refusal extends Error {
  readonly status: number
  readonly body: Readonly<Record<string, unknown>>

  constructor(status: number, body: { readonly message: string; readonly [field: string]: unknown }) {
    super(body.message)
    this.status = status
    this.body = body
  }
}

const CLUSTER_SCOPED =
  /^(Namespace|Node|StorageClass|ClusterRole|ClusterRoleBinding|(Validating|Mutating)AdmissionPolicy(Binding)?)$/

export const isNamespaced = (kind: string): boolean => !CLUSTER_SCOPED.test(kind)

type Written = { readonly object: KubeObject; readonly applied?: KubeObject }

export type WriteOptions = { readonly dryRun?: boolean; readonly force?: boolean }

/**
 * Objects as an API server keeps them: versions, generations, server-side apply, what goes with its owner and its
 * namespace. Garbage collection happens at once. test/adapters/kube/contract.ts holds it against the real one.
 */
export class ObjectStore {
  /** Webhooks and defaults: what a write becomes before it is stored. */
  admit: (object: KubeObject) => KubeObject = (object) => object
  /** Called after each stored change, as controllers watch. */
  readonly watchers: ((object: KubeObject) => void)[] = []
  /** Objects with a finalizer that nobody takes off: a removal only marks them. */
  readonly finalized: (object: KubeObject) => boolean
  readonly #objects = new Map<string, Written>()
  #version = 100

  constructor(finalized: (object: KubeObject) => boolean = () => false) {
    this.finalized = finalized
  }

  read(ref: ObjectRef): KubeObject | undefined {
    return this.#objects.get(refKey(ref))?.object
  }

  list(type: ResourceType, { namespace, labelSelector }: ListOptions = {}): readonly KubeObject[] {
    const group = refKey({ ...type, name: '' }).split('|')[0]
    return [...this.#objects.values()]
      .map(({ object }) => object)
      .filter((object) => object.kind === type.kind && refKey(refOf(object)).split('|')[0] === group)
      .filter((object) => namespace === undefined || object.metadata.namespace === namespace)
      .filter((object) => labelSelector === undefined || fitsSelector(object, labelSelector))
      .sort((one, other) => (etcdKey(one) < etcdKey(other) ? -1 : 1))
      .map((object) =>
        object.apiVersion === type.apiVersion ? object : frozen({ ...object, apiVersion: type.apiVersion }),
      )
  }

  apply(object: KubeObject, { dryRun = false, force = false }: WriteOptions = {}): KubeObject {
    const ref = refOf(object)
    const before = this.#objects.get(refKey(ref))
    const { uid, resourceVersion, managedFields: _, ...metadata } = object.metadata
    if (before === undefined) this.#mustTake(ref)
    if (uid !== undefined && uid !== before?.object.metadata.uid) throw changed(ref, `uid mismatch: ${uid} was meant`)
    if (
      before !== undefined &&
      resourceVersion !== undefined &&
      resourceVersion !== before.object.metadata.resourceVersion
    )
      throw changed(ref, 'the object has been modified; please apply your changes to the latest version')
    const applied = { ...object, metadata }
    const { value, conflicts } = merged(before?.object as Fields | undefined, before?.applied as Fields, applied)
    if (conflicts.length > 0 && !force) throw fieldConflict(ref, conflicts)
    return this.#write(value as unknown as KubeObject, { dryRun, applied })
  }

  /** `undefined` where it exists already. */
  create(object: KubeObject, { dryRun = false }: WriteOptions = {}): KubeObject | undefined {
    this.#mustTake(refOf(object))
    if (this.#objects.has(refKey(refOf(object)))) return undefined
    return this.#write(object, { dryRun })
  }

  mergePatch(ref: ObjectRef, patch: Fields): KubeObject {
    const before = this.#objects.get(refKey(ref))
    if (before === undefined) throw missing(ref)
    const { resourceVersion } = (patch.metadata ?? {}) as { readonly resourceVersion?: string }
    if (resourceVersion !== undefined && resourceVersion !== before.object.metadata.resourceVersion)
      throw changed(ref, 'the object has been modified; please apply your changes to the latest version')
    return this.#write(patched(before.object as unknown as Fields, patch) as unknown as KubeObject, {
      dryRun: false,
      ...(before.applied === undefined ? {} : { applied: before.applied }),
    })
  }

  remove(ref: ObjectRef, { uid, resourceVersion }: Pick<RemoveOptions, 'uid' | 'resourceVersion'> = {}): boolean {
    const found = this.#objects.get(refKey(ref))?.object
    if (found === undefined) return false
    if (uid !== undefined && uid !== found.metadata.uid)
      throw changed(ref, `the UID in the precondition (${uid}) does not match the UID in record`)
    if (resourceVersion !== undefined && resourceVersion !== found.metadata.resourceVersion)
      throw changed(ref, `the ResourceVersion in the precondition (${resourceVersion}) does not match that in record`)
    if (this.finalized(found)) {
      if (found.metadata.deletionTimestamp === undefined) this.put(terminating(found))
      return true
    }
    this.#objects.delete(refKey(ref))
    for (const { object } of [...this.#objects.values()]) {
      const inside = found.kind === 'Namespace' && object.metadata.namespace === found.metadata.name
      const owned = object.metadata.ownerReferences?.some((owner) => owner.uid === found.metadata.uid) === true
      if (inside || owned) this.remove(refOf(object))
    }
    this.#tell(terminating(found))
    return true
  }

  /** As somebody else writes it: no checks, and what regctl applied before stays known as its own. */
  put(object: KubeObject): KubeObject {
    const applied = this.#objects.get(refKey(refOf(object)))?.applied
    return this.#write(object, { dryRun: false, ...(applied === undefined ? {} : { applied }) })
  }

  /** Takes over what another store holds now; what is stored is never changed in place. */
  copy(other: ObjectStore): void {
    for (const [key, written] of other.#objects) this.#objects.set(key, written)
    this.#version = other.#version
  }

  #write(wanted: KubeObject, { dryRun, applied }: { dryRun: boolean; applied?: KubeObject }): KubeObject {
    const key = refKey(refOf(wanted))
    const before = this.#objects.get(key)?.object
    const admitted = before === undefined ? this.admit(wanted) : wanted
    const { resourceVersion: _, ...metadata } = admitted.metadata
    const { uid, generation = 0, creationTimestamp = '2026-01-01T00:00:00Z' } = before?.metadata ?? {}
    const version = before?.metadata.resourceVersion
    const same = before !== undefined && isDeepStrictEqual(content(before), content(admitted))
    const next = String(dryRun ? (version ?? '') : same ? version : ++this.#version)
    const object: KubeObject = frozen({
      ...admitted,
      metadata: {
        ...metadata,
        uid: uid ?? `uid-${this.#version}`,
        ...(next === '' ? {} : { resourceVersion: next }),
        generation: isDeepStrictEqual(desired(before), desired(admitted)) ? Math.max(1, generation) : generation + 1,
        creationTimestamp,
      },
    })
    if (dryRun) return object
    this.#objects.set(key, { object, ...(applied === undefined ? {} : { applied: frozen(applied) }) })
    if (!same) this.#tell(object)
    return object
  }

  #tell(object: KubeObject): void {
    for (const watcher of this.watchers) watcher(object)
  }

  #mustTake({ kind, namespace }: ObjectRef): void {
    if (!isNamespaced(kind) || namespace === undefined) return
    const found = this.#objects.get(refKey({ apiVersion: 'v1', kind: 'Namespace', name: namespace }))?.object
    if (found === undefined) throw missing({ apiVersion: 'v1', kind: 'Namespace', name: namespace })
    if (found.metadata.deletionTimestamp === undefined) return
    const message = `unable to create new content in namespace ${namespace} because it is being terminated`
    throw new Refusal(403, { message, reason: 'Forbidden', details: { causes: [{ reason: 'NamespaceTerminating' }] } })
  }
}

/** Nobody changes in place what the store holds: an API server would not see it. */
function frozen<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value
  for (const inner of Object.values(value)) frozen(inner)
  return Object.freeze(value)
}

const etcdKey = ({ metadata }: KubeObject): string => `${metadata.namespace ?? ''}/${metadata.name}`

const terminating = (object: KubeObject): KubeObject => ({
  ...object,
  metadata: { ...object.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' },
})

/** What a write has to change to count as one. */
function content({ metadata, ...rest }: KubeObject): unknown {
  const { resourceVersion: _v, generation: _g, uid: _u, creationTimestamp: _c, ...own } = metadata
  return { ...rest, metadata: own }
}

function desired(object: KubeObject | undefined): unknown {
  const { metadata: _m, status: _s, ...rest } = object ?? ({} as KubeObject)
  return rest
}

const missing = (ref: ObjectRef): Refusal =>
  new Refusal(404, { message: `${ref.kind.toLowerCase()}s "${ref.name}" not found`, reason: 'NotFound' })

const changed = (ref: ObjectRef, why: string): Refusal =>
  new Refusal(409, { message: `Operation cannot be fulfilled on ${describeRef(ref)}: ${why}`, reason: 'Conflict' })

function fieldConflict(ref: ObjectRef, fields: readonly string[]): Refusal {
  const causes = fields.map((field) => ({
    reason: 'FieldManagerConflict',
    message: `conflict with "somebody" using ${ref.apiVersion}`,
    field,
  }))
  return new Refusal(409, { message: 'Apply failed with conflicts', reason: 'Conflict', details: { causes } })
}
