import { expect, test } from 'vitest'
import { ClusterObjects } from '../../../src/adapters/kube/objects.ts'
import { apiServer } from './api-server.ts'

const REF = { apiVersion: 'v1', kind: 'ConfigMap', namespace: 'n', name: 'x' }
const OBJECT = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { namespace: 'n', name: 'x' } }

test('what is not there is undefined, and so is a type the cluster does not serve', async () => {
  using server = await apiServer(() => ({ status: 404, body: { reason: 'NotFound' } }))
  const kube = new ClusterObjects(server.api)
  expect(await kube.get(REF)).toBeUndefined()
  expect(await kube.get({ apiVersion: 'nope.io/v1', kind: 'Nope', name: 'x' })).toBeUndefined()
  expect(await kube.remove(REF)).toBe(false)
  expect(await kube.serves({ apiVersion: 'nope.io/v1', kind: 'Nope' })).toBe(false)
  expect(await kube.serves({ apiVersion: 'apps/v1', kind: 'Scale' })).toBe(false)
  expect(await kube.serves({ apiVersion: 'apps/v1', kind: 'Deployment' })).toBe(true)
  expect(await kube.list({ apiVersion: 'nope.io/v1', kind: 'Nope' })).toEqual([])
})

test('apply is a server-side apply by regctl that takes nothing over unless asked', async () => {
  using server = await apiServer((request) => ({ body: request.body }))
  const kube = new ClusterObjects(server.api)
  await kube.apply({ ...OBJECT, metadata: { ...OBJECT.metadata, managedFields: [{ manager: 'm' }] } })
  await kube.apply(OBJECT, { dryRun: true, force: true })
  const [plain, forced] = server.seen
  expect(plain).toMatchObject({ method: 'PATCH', contentType: 'application/apply-patch+yaml', body: OBJECT })
  expect(plain?.url.pathname).toBe('/api/v1/namespaces/n/configmaps/x')
  expect(plain?.body).toEqual(OBJECT)
  expect(Object.fromEntries(plain?.url.searchParams ?? [])).toEqual({ fieldManager: 'regctl', force: 'false' })
  expect(Object.fromEntries(forced?.url.searchParams ?? [])).toEqual({
    fieldManager: 'regctl',
    force: 'true',
    dryRun: 'All',
  })
})

test('a list follows its pages and gives every item its type', async () => {
  using server = await apiServer(({ url }) =>
    url.searchParams.get('continue') === null
      ? { body: { metadata: { continue: 'more' }, items: [{ metadata: { name: 'a' } }] } }
      : { body: { metadata: {}, items: [{ metadata: { name: 'b' } }] } },
  )
  const found = await new ClusterObjects(server.api).list(
    { apiVersion: 'v1', kind: 'ConfigMap' },
    { labelSelector: 'a=b' },
  )
  expect(found).toEqual([
    { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a' } },
    { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'b' } },
  ])
  expect(server.seen[1]?.url.searchParams.get('labelSelector')).toBe('a=b')
})

test('a list whose continue token expired starts over', async () => {
  using server = await apiServer((_, count) => {
    if (count === 1) return { body: { metadata: { continue: 'old' }, items: [{ metadata: { name: 'a' } }] } }
    if (count === 2) return { status: 410, body: { reason: 'Expired' } }
    return { body: { items: [{ metadata: { name: 'b' } }] } }
  })
  const found = await new ClusterObjects(server.api).list({ apiVersion: 'v1', kind: 'ConfigMap' })
  expect(found.map(({ metadata }) => metadata.name)).toEqual(['b'])
})

test('create tells what exists already from what was made', async () => {
  using server = await apiServer((_, count) =>
    count === 1 ? { status: 201, body: OBJECT } : { status: 409, body: { reason: 'AlreadyExists' } },
  )
  const kube = new ClusterObjects(server.api)
  expect(await kube.create(OBJECT)).toEqual(OBJECT)
  expect(await kube.create(OBJECT)).toBeUndefined()
  expect(server.seen[0]?.url.pathname).toBe('/api/v1/namespaces/n/configmaps')
})

test('a removal carries the uid it means', async () => {
  using server = await apiServer(() => ({ body: { kind: 'Status' } }))
  expect(await new ClusterObjects(server.api).remove(REF, { uid: 'u1', gracePeriodSeconds: 0 })).toBe(true)
  expect(server.seen[0]?.body).toMatchObject({ preconditions: { uid: 'u1' }, gracePeriodSeconds: 0 })
})

test('rights and versions', async () => {
  using server = await apiServer(({ url }) =>
    url.pathname === '/version'
      ? { body: { gitVersion: 'v1.31.4-eks', major: '1', minor: '31+' } }
      : { status: 201, body: { status: { allowed: true } } },
  )
  const kube = new ClusterObjects(server.api)
  expect(await kube.version()).toEqual({ gitVersion: 'v1.31.4-eks', major: 1, minor: 31 })
  expect(await kube.can({ verb: 'create', group: '', resource: 'namespaces' })).toBe(true)
  expect(server.seen[1]?.body).toMatchObject({
    spec: { resourceAttributes: { verb: 'create', resource: 'namespaces' } },
  })
})
