import { expect } from 'vitest'
import type { KubeObject } from '../../../src/domain/kube-object.ts'
import { refOf } from '../../../src/domain/kube-object.ts'
import type { Kube } from '../../../src/ports.ts'

/**
 * What app/ relies on, run on the fake, on the adapter in front of the fake's objects, and in test/e2e on a real
 * API server. `place` is a namespace of its own that exists; `MISSING` never does.
 */
export type Place = { readonly kube: Kube; readonly place: string }

const MISSING = 'contract-missing'

const config = (namespace: string, name: string, data: Record<string, string> = {}, labels = {}): KubeObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace, labels: { contract: 'yes', ...labels } },
  data,
})

const dataOf = async ({ kube }: Place, object: KubeObject): Promise<unknown> => (await kube.get(refOf(object)))?.data

const failsWith = (code: string) => expect.objectContaining({ name: 'RegctlError', code })

export const CONTRACT: Readonly<Record<string, (at: Place) => Promise<void>>> = {
  'what is not there': async ({ kube, place }) => {
    const ref = refOf(config(place, 'absent'))
    expect(await kube.get(ref)).toBeUndefined()
    expect(await kube.remove(ref)).toBe(false)
    expect(await kube.list({ apiVersion: 'v1', kind: 'ConfigMap' }, { namespace: MISSING })).toEqual([])
    await expect(kube.mergePatch(ref, { data: {} })).rejects.toEqual(failsWith('NOT_FOUND'))
  },

  'a type the cluster does not serve': async ({ kube }) => {
    const type = { apiVersion: 'contract.regctl.dev/v1', kind: 'Nothing' }
    const object = { ...type, metadata: { name: 'x' } }
    expect(await kube.serves(type)).toBe(false)
    expect(await kube.get(refOf(object))).toBeUndefined()
    expect(await kube.list(type)).toEqual([])
    expect(await kube.remove(refOf(object))).toBe(false)
    await expect(kube.apply(object)).rejects.toEqual(failsWith('TYPE_NOT_SERVED'))
    await expect(kube.create(object)).rejects.toEqual(failsWith('TYPE_NOT_SERVED'))
  },

  'a namespace that does not exist takes nothing': async ({ kube }) => {
    await expect(kube.apply(config(MISSING, 'x'))).rejects.toEqual(failsWith('NOT_FOUND'))
    await expect(kube.create(config(MISSING, 'x'))).rejects.toEqual(failsWith('NOT_FOUND'))
    await expect(kube.create(config(MISSING, 'x'), { dryRun: true })).rejects.toEqual(failsWith('NOT_FOUND'))
  },

  'apply makes an object, and the same again changes nothing': async ({ kube, place }) => {
    const object = config(place, 'same', { a: '1' })
    const made = await kube.apply(object)
    expect(made.metadata.uid).toBeTruthy()
    expect(made).toMatchObject(object)
    const again = await kube.apply(object)
    expect(again.metadata.resourceVersion).toBe(made.metadata.resourceVersion)
    const other = await kube.apply(config(place, 'same', { a: '2' }))
    expect(other.metadata.resourceVersion).not.toBe(made.metadata.resourceVersion)
    expect(other.metadata.uid).toBe(made.metadata.uid)
  },

  'apply takes away what it set before, and leaves what others set': async (at) => {
    const { kube, place } = at
    const object = config(place, 'shared', { a: '1', b: '1' })
    await kube.apply(object)
    await kube.mergePatch(refOf(object), { data: { c: '1' } })
    await kube.apply(config(place, 'shared', { a: '1' }))
    expect(await dataOf(at, object)).toEqual({ a: '1', c: '1' })
  },

  'a field of another manager is a conflict, unless forced': async (at) => {
    const { kube, place } = at
    const object = config(place, 'contested', { a: '1' })
    await kube.apply(object)
    await kube.mergePatch(refOf(object), { data: { a: '2' } })
    await expect(kube.apply(object)).rejects.toEqual(failsWith('FIELD_CONFLICT'))
    expect(await dataOf(at, object)).toEqual({ a: '2' })
    await kube.apply(object, { force: true })
    expect(await dataOf(at, object)).toEqual({ a: '1' })
  },

  'a dry run tells what would be, and does nothing': async (at) => {
    const { kube, place } = at
    const object = config(place, 'dry', { a: '1' })
    expect(await kube.create(object, { dryRun: true })).toMatchObject({ data: { a: '1' } })
    expect(await kube.apply(object, { dryRun: true })).toMatchObject({ data: { a: '1' } })
    expect(await kube.get(refOf(object))).toBeUndefined()
    await kube.apply(object)
    await kube.mergePatch(refOf(object), { data: { c: '1' } })
    const would = await kube.apply(config(place, 'dry', { b: '1' }), { dryRun: true, force: true })
    expect(would.data).toEqual({ b: '1', c: '1' })
    expect(await dataOf(at, object)).toEqual({ a: '1', c: '1' })
  },

  'apply with a version is refused after any change since': async (at) => {
    const { kube, place } = at
    const object = config(place, 'versioned', { a: '1' })
    const { metadata } = await kube.apply(object)
    const next = { ...object, metadata: { ...object.metadata, resourceVersion: metadata.resourceVersion ?? '' } }
    await kube.apply({ ...next, data: { a: '2' } })
    await expect(kube.apply({ ...next, data: { a: '3' } }, { force: true })).rejects.toEqual(
      failsWith('CONFLICT_CHANGED'),
    )
    expect(await dataOf(at, object)).toEqual({ a: '2' })
  },

  'apply with a version alone makes what was removed since, with a uid it does not': async ({ kube, place }) => {
    const object = config(place, 'removed', { a: '1' })
    const { uid = '', resourceVersion = '' } = (await kube.apply(object)).metadata
    const meant = { ...object, metadata: { ...object.metadata, uid, resourceVersion } }
    await kube.apply(meant)
    await kube.remove(refOf(object))
    await expect(kube.apply(meant, { force: true })).rejects.toEqual(failsWith('CONFLICT_CHANGED'))
    expect(await kube.get(refOf(object))).toBeUndefined()
    await kube.apply({ ...object, metadata: { ...object.metadata, resourceVersion } }, { force: true })
    await expect(kube.apply(meant, { force: true })).rejects.toEqual(failsWith('CONFLICT_CHANGED'))
  },

  'create makes what is not there, once': async (at) => {
    const { kube, place } = at
    const object = config(place, 'once', { a: '1' })
    expect(await kube.create(object)).toMatchObject(object)
    expect(await kube.create({ ...object, data: { a: '2' } })).toBeUndefined()
    expect(await dataOf(at, object)).toEqual({ a: '1' })
  },

  'a merge patch adds, changes and takes away': async ({ kube, place }) => {
    const object = config(place, 'patched', { a: '1', b: '1' })
    const { uid, resourceVersion } = (await kube.apply(object)).metadata
    await kube.mergePatch(refOf(object), {
      metadata: { uid, resourceVersion, labels: { contract: null, more: 'yes' }, annotations: { note: 'x' } },
      data: { a: null, c: '1' },
    })
    const found = await kube.get(refOf(object))
    expect(found?.data).toEqual({ b: '1', c: '1' })
    expect(found?.metadata.labels).toEqual({ more: 'yes' })
    expect(found?.metadata.annotations).toEqual({ note: 'x' })
    const late = kube.mergePatch(refOf(object), { metadata: { resourceVersion }, data: { d: '1' } })
    await expect(late).rejects.toEqual(failsWith('CONFLICT_CHANGED'))
    expect((await kube.get(refOf(object)))?.data).toEqual({ b: '1', c: '1' })
  },

  'a removal may name the one it means': async ({ kube, place }) => {
    const object = config(place, 'meant')
    const { metadata } = await kube.apply(object)
    await expect(kube.remove(refOf(object), { uid: '00000000-0000-0000-0000-000000000000' })).rejects.toEqual(
      failsWith('CONFLICT_CHANGED'),
    )
    expect(await kube.get(refOf(object))).toBeDefined()
    await kube.mergePatch(refOf(object), { data: { changed: 'since' } })
    await expect(kube.remove(refOf(object), { resourceVersion: metadata.resourceVersion ?? '' })).rejects.toEqual(
      failsWith('CONFLICT_CHANGED'),
    )
    expect(await kube.remove(refOf(object), { uid: metadata.uid ?? '' })).toBe(true)
    expect(await kube.get(refOf(object))).toBeUndefined()
  },

  'lists go by label and namespace, in the order of names': async ({ kube, place }) => {
    const type = { apiVersion: 'v1', kind: 'ConfigMap' }
    for (const [name, tier] of [
      ['list-b', 'one'],
      ['list-a', 'one'],
      ['list-c', 'two'],
    ] as const)
      await kube.apply(config(place, name, {}, { tier }))
    const names = async (labelSelector: string, namespace: string | undefined = place) =>
      (await kube.list(type, { labelSelector, ...(namespace === undefined ? {} : { namespace }) })).map(
        ({ metadata }) => metadata.name,
      )
    expect(await names('tier')).toEqual(['list-a', 'list-b', 'list-c'])
    expect(await names('tier=one')).toEqual(['list-a', 'list-b'])
    expect(await names('tier=one', 'default')).toEqual([])
    expect((await kube.list(type, { labelSelector: 'tier=two' })).map(({ metadata }) => metadata.namespace)).toContain(
      place,
    )
    const [first] = await kube.list(type, { namespace: place, labelSelector: 'tier=two' })
    expect(first).toMatchObject({ ...type, metadata: { name: 'list-c' } })
  },

  'a generation counts what was wanted, not labels': async ({ kube, place }) => {
    const labels = { app: 'contract' }
    const deployment = (replicas: number, more = {}): KubeObject => ({
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'generation', namespace: place, labels: { ...labels, ...more } },
      spec: {
        replicas,
        paused: true,
        selector: { matchLabels: labels },
        template: { metadata: { labels }, spec: { containers: [{ name: 'c', image: 'none' }] } },
      },
    })
    const generation = async (object: KubeObject) => (await kube.apply(object)).metadata.generation
    expect(await generation(deployment(0))).toBe(1)
    expect(await generation(deployment(0, { more: 'yes' }))).toBe(1)
    expect(
      await generation({ ...deployment(0), spec: { ...(deployment(0).spec as object), minReadySeconds: 1 } }),
    ).toBe(2)
  },
}
