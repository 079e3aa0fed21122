import { FIELD_MANAGER } from '../../domain/installation.ts'
import { describeRef, type KubeObject, type ObjectRef, refOf } from '../../domain/kube-object.ts'
import { clusterError, preconditionError } from '../../errors.ts'
import type { ApplyOptions, Kube, ListOptions, RemoveOptions, ResourceType, Right } from '../../ports.ts'
import type { Api } from './api.ts'
import { Discovery } from './discovery.ts'

const PAGE = 500

type Page = { readonly items?: readonly KubeObject[]; readonly metadata?: { readonly continue?: string } }

export class ClusterObjects implements Kube {
  readonly target: Kube['target']
  readonly #api: Api
  readonly #discovery: Discovery

  constructor(api: Api) {
    this.#api = api
    this.#discovery = new Discovery(api)
    this.target = api.target
  }

  async get(ref: ObjectRef, signal?: AbortSignal): Promise<KubeObject | undefined> {
    const path = await this.#path(ref, signal)
    if (path === undefined) return undefined
    const { status, text } = await this.#api.request({
      method: 'GET',
      path,
      about: `get ${describeRef(ref)}`,
      expect: [404],
      ...(signal === undefined ? {} : { signal }),
    })
    return status === 404 ? undefined : (JSON.parse(text) as KubeObject)
  }

  async list(type: ResourceType, options: ListOptions = {}): Promise<readonly KubeObject[]> {
    const resource = await this.#discovery.find(type)
    if (resource === undefined) return []
    const inside = options.namespace === undefined ? '' : `/namespaces/${encodeURIComponent(options.namespace)}`
    const found: KubeObject[] = []
    let next: string | undefined
    for (;;) {
      const { status, text } = await this.#api.request({
        method: 'GET',
        path: `${resource.base}${inside}/${resource.plural}`,
        query: { limit: String(PAGE), continue: next, labelSelector: options.labelSelector },
        about: `list ${type.kind}${options.namespace === undefined ? '' : ` in namespace ${options.namespace}`}`,
        expect: [404, 410],
      })
      if (status === 410) {
        // The continue token expired: the pages so far belong to a past that is gone, so start over.
        found.length = 0
        next = undefined
        continue
      }
      const page: Page = status === 404 ? {} : (JSON.parse(text) as Page)
      // Items of a list carry no type of their own.
      for (const item of page.items ?? []) found.push({ ...item, apiVersion: type.apiVersion, kind: type.kind })
      next = page.metadata?.continue || undefined
      if (next === undefined) return found
    }
  }

  async apply(object: KubeObject, options: ApplyOptions = {}): Promise<KubeObject> {
    // The API server refuses an apply that carries managedFields.
    const { managedFields: _, ...metadata } = object.metadata
    const { text } = await this.#api.request({
      method: 'PATCH',
      path: await this.#mustPath(refOf(object)),
      query: { fieldManager: FIELD_MANAGER, force: String(options.force === true), ...dryRun(options) },
      // JSON is YAML; this content type is what selects server-side apply.
      contentType: 'application/apply-patch+yaml',
      body: { ...object, metadata },
      about: `apply ${describeRef(refOf(object))}`,
    })
    return JSON.parse(text) as KubeObject
  }

  async create(object: KubeObject, options: { readonly dryRun?: boolean } = {}): Promise<KubeObject | undefined> {
    const path = await this.#mustPath(refOf(object))
    const about = `create ${describeRef(refOf(object))}`
    const { status, text } = await this.#api.request({
      method: 'POST',
      path: path.slice(0, path.lastIndexOf('/')),
      query: { fieldManager: FIELD_MANAGER, ...dryRun(options) },
      body: object,
      about,
      expect: [409],
      repeatable: options.dryRun === true,
    })
    if (status !== 409) return JSON.parse(text) as KubeObject
    const { reason, message } = JSON.parse(text) as { reason?: string; message?: string }
    if (reason === 'AlreadyExists') return undefined
    throw clusterError('CLUSTER_REFUSED', `cannot ${about}: ${message}`, { details: { status, reason } })
  }

  async mergePatch(ref: ObjectRef, patch: Readonly<Record<string, unknown>>): Promise<KubeObject> {
    const { text } = await this.#api.request({
      method: 'PATCH',
      path: await this.#mustPath(ref),
      query: { fieldManager: FIELD_MANAGER },
      contentType: 'application/merge-patch+json',
      body: patch,
      about: `patch ${describeRef(ref)}`,
    })
    return JSON.parse(text) as KubeObject
  }

  async remove(ref: ObjectRef, options: RemoveOptions = {}): Promise<boolean> {
    const path = await this.#path(ref)
    if (path === undefined) return false
    const { gracePeriodSeconds, ...preconditions } = options
    const { status } = await this.#api.request({
      method: 'DELETE',
      path,
      body: {
        apiVersion: 'v1',
        kind: 'DeleteOptions',
        propagationPolicy: 'Background',
        ...(gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds }),
        ...(Object.keys(preconditions).length === 0 ? {} : { preconditions }),
      },
      about: `delete ${describeRef(ref)}`,
      expect: [404],
    })
    return status !== 404
  }

  async serves(type: ResourceType): Promise<boolean> {
    return (await this.#discovery.find(type)) !== undefined
  }

  async can(right: Right): Promise<boolean> {
    const { text } = await this.#api.request({
      method: 'POST',
      path: '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews',
      body: {
        apiVersion: 'authorization.k8s.io/v1',
        kind: 'SelfSubjectAccessReview',
        spec: { resourceAttributes: right },
      },
      about: `ask whether ${right.verb} ${right.resource} is allowed`,
    })
    return (JSON.parse(text) as { status?: { allowed?: boolean } }).status?.allowed === true
  }

  async version(): Promise<{ readonly gitVersion: string; readonly major: number; readonly minor: number }> {
    const { text } = await this.#api.request({ method: 'GET', path: '/version', about: 'read the version' })
    const { gitVersion, major, minor } = JSON.parse(text) as { gitVersion: string; major: string; minor: string }
    // Providers append to the minor version: EKS says "31+".
    return { gitVersion, major: Number.parseInt(major, 10), minor: Number.parseInt(minor, 10) }
  }

  async #path(ref: ObjectRef, signal?: AbortSignal): Promise<string | undefined> {
    const resource = await this.#discovery.find(ref, signal)
    if (resource === undefined) return undefined
    if (resource.namespaced && ref.namespace === undefined) throw new Error(`${describeRef(ref)} needs a namespace`)
    const inside = resource.namespaced ? `/namespaces/${encodeURIComponent(ref.namespace ?? '')}` : ''
    return `${resource.base}${inside}/${resource.plural}/${encodeURIComponent(ref.name)}`
  }

  async #mustPath(ref: ObjectRef): Promise<string> {
    const path = await this.#path(ref)
    if (path !== undefined) return path
    throw preconditionError('TYPE_NOT_SERVED', `the cluster does not know ${ref.kind} of ${ref.apiVersion}`, {
      suggestions: [`kubectl --context ${this.target.context} api-resources`],
    })
  }
}

const dryRun = (options: { readonly dryRun?: boolean }): { readonly dryRun?: string } =>
  options.dryRun === true ? { dryRun: 'All' } : {}
