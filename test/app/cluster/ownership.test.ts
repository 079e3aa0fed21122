import { expect, test } from 'vitest'
import { isOurs, liveObjects, ownedObjects } from '../../../src/app/cluster/ownership.ts'
import { describeRef, type KubeObject, refOf } from '../../../src/domain/kube-object.ts'
import { at } from '../../domain/at.ts'
import { fakeCluster, installedCluster, namespace } from '../../fakes/cluster.ts'
import { failure } from '../failure.ts'
import { grantIn } from '../grant/granted.ts'

const config = (name: string, installation?: string, place = 'kube-registry'): KubeObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: {
    name,
    namespace: place,
    ...(installation === undefined ? {} : { labels: { 'regctl.dev/installation': installation } }),
  },
})

test('ours is what carries the label with our namespace', () => {
  expect([isOurs(config('x', 'kube-registry'), at), isOurs(config('x', 'other'), at), isOurs(config('x'), at)]).toEqual(
    [true, false, false],
  )
})

test('all that is ours is found, wherever it is', async () => {
  const cluster = await installedCluster()
  await grantIn(cluster, 'ci', 'team')
  cluster.store.put(config('theirs', 'other'))
  const owned = (await ownedObjects(cluster.kube, at)).map((object) => describeRef(refOf(object)))
  expect(owned).toHaveLength(28)
  for (const name of [
    'Namespace kube-registry-node',
    'Secret kube-registry/registry-http',
    'Sidecar ci/regctl-localhost',
  ])
    expect(owned).toContain(name)
  expect(owned).not.toContain('ConfigMap kube-registry/theirs')
})

test('live objects are those that are wanted and there', async () => {
  const { kube, store } = fakeCluster()
  store.put(namespace('kube-registry'))
  store.put(config('there', 'kube-registry'))
  const live = await liveObjects(kube, at, [config('there'), config('missing')])
  expect([...live.values()].map(({ metadata }) => metadata.name)).toEqual(['there'])
})

test('one of somebody else is refused, with the way to hand it over', async () => {
  const { kube, store } = fakeCluster()
  store.put(namespace('kube-registry'))
  store.put(config('theirs'))
  const failed = liveObjects(kube, at, [config('theirs'), config('missing')])
  await expect(failed).rejects.toEqual(
    failure('NOT_OURS', 4, "ConfigMap kube-registry/theirs exists and is not regctl's"),
  )
  await expect(failed).rejects.toMatchObject({
    suggestions: [
      'regctl up --namespace ANOTHER',
      'or hand it over: kubectl label configmap theirs -n kube-registry regctl.dev/installation=kube-registry',
    ],
  })
  store.put(namespace('kube-registry'))
  await expect(liveObjects(kube, at, [namespace('kube-registry')])).rejects.toMatchObject({
    suggestions: [
      'regctl up --namespace ANOTHER',
      'or hand it over: kubectl label namespace kube-registry regctl.dev/installation=kube-registry',
    ],
  })
})

test('one of another installation is foreign too', async () => {
  const { kube, store } = fakeCluster()
  store.put(namespace('kube-registry'))
  store.put(config('theirs', 'other'))
  store.put(config('also', 'other'))
  await expect(liveObjects(kube, at, [config('theirs'), config('also')])).rejects.toEqual(
    failure('NOT_OURS', 4, 'ConfigMap kube-registry/theirs, ConfigMap kube-registry/also exist and are not'),
  )
})
