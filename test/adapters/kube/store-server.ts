import type { KubeObject } from '../../../src/domain/kube-object.ts'
import { type ObjectStore, Refusal } from '../../fakes/object-store.ts'
import type { Seen } from './api-server.ts'

const KINDS: Readonly<Record<string, string>> = {
  configmaps: 'ConfigMap',
  namespaces: 'Namespace',
  deployments: 'Deployment',
}
const PATH = /^\/apis?\/((?:apps\/)?v1)(?:\/namespaces\/([^/]+)(?=\/))?\/([^/]+)(?:\/([^/]+))?$/

/** Answers of an API server over the objects of a store, for the types `apiServer` serves. */
export function answersOf(store: ObjectStore) {
  return (request: Seen): { readonly status?: number; readonly body: unknown } => {
    try {
      const body = answer(store, request)
      return body === undefined ? { status: 404, body: { reason: 'NotFound', message: 'not found' } } : { body }
    } catch (error) {
      if (error instanceof Refusal) return { status: error.status, body: error.body }
      throw error
    }
  }
}

function answer(store: ObjectStore, { method, url, body, contentType }: Seen): unknown {
  const [, apiVersion = '', namespace, plural = '', name] = PATH.exec(url.pathname) ?? []
  const type = { apiVersion, kind: KINDS[plural] ?? '' }
  const options = {
    dryRun: url.searchParams.get('dryRun') === 'All',
    force: url.searchParams.get('force') === 'true',
  }
  if (method === 'POST') {
    const made = store.create(body as KubeObject, options)
    if (made === undefined) throw new Refusal(409, { message: 'exists', reason: 'AlreadyExists' })
    return made
  }
  if (name === undefined) {
    const labelSelector = url.searchParams.get('labelSelector')
    const inside = namespace === undefined ? {} : { namespace }
    return { items: store.list(type, { ...inside, ...(labelSelector === null ? {} : { labelSelector }) }) }
  }
  const ref = { ...type, name, ...(namespace === undefined ? {} : { namespace }) }
  if (method === 'GET') return store.read(ref)
  if (method === 'DELETE') {
    const { preconditions } = body as { preconditions?: { uid?: string; resourceVersion?: string } }
    return store.remove(ref, preconditions) ? {} : undefined
  }
  if (contentType === 'application/apply-patch+yaml') return store.apply(body as KubeObject, options)
  return store.mergePatch(ref, body as Record<string, unknown>)
}
