import { expect, test } from 'vitest'
import { allInstalled, findInstalled, requireInstalled } from '../../../src/app/cluster/installed.ts'
import { DEFAULTS } from '../../../src/domain/settings.ts'
import { stateObject } from '../../../src/domain/stack/stack.ts'
import { clusterError } from '../../../src/errors.ts'
import { at } from '../../domain/at.ts'
import { fakeCluster, installedCluster, namespace } from '../../fakes/cluster.ts'
import { failure } from '../failure.ts'

test('an installation is known by the object that keeps its settings', async () => {
  const { kube } = await installedCluster({ port: 5001, size: '1Gi' })
  const installed = { at: { ...at, port: 5001 }, settings: { ...DEFAULTS, port: 5001, size: '1Gi' } }
  expect(await findInstalled(kube, 'kube-registry')).toEqual(installed)
  expect(await requireInstalled(kube, 'kube-registry')).toEqual(installed)
  expect(await allInstalled(kube)).toEqual([installed])
})

test('who may not read its policies sees it all the same', async () => {
  const { kube } = await installedCluster()
  kube.turn = ({ verb, what }) => {
    if (`${verb} ${what}`.startsWith('list AuthorizationPolicy')) throw clusterError('FORBIDDEN', 'may not list them')
  }
  expect((await requireInstalled(kube, 'kube-registry')).at).toEqual(at)
})

test('the cluster’s domain is kept with it', async () => {
  const { kube, store } = fakeCluster()
  store.put(stateObject({ ...at, clusterDomain: 'example.org' }, DEFAULTS))
  expect((await findInstalled(kube, 'kube-registry'))?.at.clusterDomain).toBe('example.org')
})

test('an object of that name that is not ours is none', async () => {
  const { kube, store } = fakeCluster()
  const state = stateObject(at, DEFAULTS)
  store.put({ ...state, metadata: { name: 'regctl', namespace: 'kube-registry' } })
  store.put({ ...state, metadata: { ...state.metadata, namespace: 'images' } })
  store.put({ ...state, metadata: { ...state.metadata, name: 'other' } })
  expect(await findInstalled(kube, 'kube-registry')).toBeUndefined()
  expect(await findInstalled(kube, 'images')).toBeUndefined()
  expect(await allInstalled(kube)).toEqual([])
})

test.each([
  ['kube-registry', 'regctl up'],
  ['images', 'regctl up --namespace images'],
])('without any, %s may be installed', async (name, command) => {
  const failed = requireInstalled(fakeCluster().kube, name)
  await expect(failed).rejects.toEqual(failure('NOT_INSTALLED', 3, `there is no registry in namespace "${name}"`))
  await expect(failed).rejects.toMatchObject({ suggestions: [command] })
})

test('where it is elsewhere, that is said', async () => {
  const { kube, store } = await installedCluster()
  store.put(namespace('images'))
  await expect(requireInstalled(kube, 'images')).rejects.toMatchObject({
    suggestions: ['add --namespace kube-registry'],
  })
})
