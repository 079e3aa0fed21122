import { statusError } from '../../src/adapters/kube/errors.ts'
import { OTHER_TYPES, OWNED_TYPES } from '../../src/domain/kinds.ts'
import { describeRef, type KubeObject, type ObjectRef, refOf } from '../../src/domain/kube-object.ts'
import { preconditionError } from '../../src/errors.ts'
import type { ApplyOptions, Kube, ListOptions, RemoveOptions, ResourceType, Right } from '../../src/ports.ts'
import { isNamespaced, ObjectStore, Refusal } from './object-store.ts'

const KNOWN: readonly ResourceType[] = [
  ...OWNED_TYPES,
  ...OTHER_TYPES,
  { apiVersion: 'v1', kind: 'Node' },
  { apiVersion: 'v1', kind: 'Event' },
  { apiVersion: 'storage.k8s.io/v1', kind: 'StorageClass' },
  { apiVersion: 'networking.istio.io/v1', kind: 'WorkloadGroup' },
  { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRole' },
  { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRoleBinding' },
]

export type Call = {
  readonly verb: 'get' | 'list' | 'apply' | 'create' | 'patch' | 'remove'
  readonly what: string
}

/** The Kube port on an ObjectStore, with the adapter's own words for what goes wrong. */
export class FakeKube implements Kube {
  readonly target = { context: 'lab', server: 'https://lab.example' }
  readonly store: ObjectStore
  /** Every write that was asked for, in order, such as `apply Service kube-registry/kube-registry`; no dry runs. */
  readonly writes: string[] = []
  /** Runs before each call, where others may write or the call may fail. */
  turn: (call: Call) => Promise<void> | void = () => {}
  /** Types the cluster does not serve. */
  without: readonly string[] = []
  may: (right: Right) => boolean = () => true
  gitVersion = 'v1.36.0'
  readonly #signal: AbortSignal

  constructor(store: ObjectStore = new ObjectStore(), signal: AbortSignal = new AbortController().signal) {
    this.store = store
    this.#signal = signal
  }

  async get(ref: ObjectRef): Promise<KubeObject | undefined> {
    await this.#begin({ verb: 'get', what: describeRef(ref) })
    return (await this.serves(ref)) ? this.store.read(located(ref)) : undefined
  }

  async list(type: ResourceType, options: ListOptions = {}): Promise<readonly KubeObject[]> {
    await this.#begin({ verb: 'list', what: type.kind })
    return (await this.serves(type)) ? this.store.list(type, options) : []
  }

  async apply(object: KubeObject, options: ApplyOptions = {}): Promise<KubeObject> {
    const ref = await this.#write('apply', refOf(object), options.dryRun)
    return this.#answer(`apply ${describeRef(ref)}`, () => this.store.apply(object, options))
  }

  async create(object: KubeObject, options: { readonly dryRun?: boolean } = {}): Promise<KubeObject | undefined> {
    const ref = await this.#write('create', refOf(object), options.dryRun)
    return this.#answer(`create ${describeRef(ref)}`, () => this.store.create(object, options))
  }

  async mergePatch(ref: ObjectRef, patch: Readonly<Record<string, unknown>>): Promise<KubeObject> {
    await this.#write('patch', ref)
    return this.#answer(`patch ${describeRef(ref)}`, () => this.store.mergePatch(ref, patch))
  }

  async remove(ref: ObjectRef, options: RemoveOptions = {}): Promise<boolean> {
    if (!(await this.serves(ref))) return false
    await this.#write('remove', ref)
    return this.#answer(`delete ${describeRef(ref)}`, () => this.store.remove(ref, options))
  }

  async serves({ apiVersion, kind }: ResourceType): Promise<boolean> {
    if (this.without.includes(kind)) return false
    return KNOWN.some((type) => type.kind === kind && type.apiVersion === apiVersion)
  }

  async can(right: Right): Promise<boolean> {
    await this.#begin({ verb: 'create', what: 'SelfSubjectAccessReview' })
    return this.may(right)
  }

  async version(): Promise<{ readonly gitVersion: string; readonly major: number; readonly minor: number }> {
    const [, major, minor] = /^v(\d+)\.(\d+)/.exec(this.gitVersion) ?? []
    return { gitVersion: this.gitVersion, major: Number(major), minor: Number(minor) }
  }

  async #begin(call: Call): Promise<void> {
    this.#signal.throwIfAborted()
    await this.turn(call)
    this.#signal.throwIfAborted()
  }

  async #write(verb: 'apply' | 'create' | 'patch' | 'remove', ref: ObjectRef, dryRun = false): Promise<ObjectRef> {
    if (!(await this.serves(ref)))
      throw preconditionError('TYPE_NOT_SERVED', `the cluster does not know ${ref.kind} of ${ref.apiVersion}`)
    located(ref)
    await this.#begin({ verb, what: describeRef(ref) })
    if (!dryRun) this.writes.push(`${verb} ${describeRef(ref)}`)
    return ref
  }

  #answer<T>(about: string, run: () => T): T {
    try {
      return run()
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      throw statusError(error.status, JSON.stringify(error.body), about, this.target)
    }
  }
}

function located(ref: ObjectRef): ObjectRef {
  if (isNamespaced(ref.kind) && ref.namespace === undefined) throw new Error(`${describeRef(ref)} needs a namespace`)
  return ref
}
