import type { ResourceType } from '../../ports.ts'
import type { Api } from './api.ts'

export type Resource = { readonly plural: string; readonly namespaced: boolean; readonly base: string }

type ResourceList = {
  readonly resources?: readonly { readonly name: string; readonly kind: string; readonly namespaced: boolean }[]
}

/** Which types the API server serves and under which path. */
export class Discovery {
  readonly #api: Api
  readonly #lists = new Map<string, Promise<ReadonlyMap<string, Resource>>>()

  constructor(api: Api) {
    this.#api = api
  }

  /** Only what is served is remembered: a CRD may appear while we run. */
  async find(type: ResourceType, signal?: AbortSignal): Promise<Resource | undefined> {
    const known = await this.#lists.get(type.apiVersion)?.catch(() => undefined)
    const resource = known?.get(type.kind)
    if (resource !== undefined) return resource
    const list = this.#read(type.apiVersion, signal)
    this.#lists.set(type.apiVersion, list)
    try {
      return (await list).get(type.kind)
    } catch (error) {
      this.#lists.delete(type.apiVersion)
      throw error
    }
  }

  async #read(apiVersion: string, signal?: AbortSignal): Promise<ReadonlyMap<string, Resource>> {
    const base = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`
    const about = `list the resources of ${apiVersion}`
    const { status, text } = await this.#api.request({
      method: 'GET',
      path: base,
      about,
      expect: [404],
      ...(signal === undefined ? {} : { signal }),
    })
    const { resources = [] } = status === 404 ? {} : (JSON.parse(text) as ResourceList)
    const found = new Map<string, Resource>()
    for (const { name, kind, namespaced } of resources) {
      // `pods/log` and its like are subresources with kinds of their own.
      if (!name.includes('/')) found.set(kind, { plural: name, namespaced, base })
    }
    return found
  }
}
