import { describe, test } from 'vitest'
import { ClusterObjects } from '../../../src/adapters/kube/objects.ts'
import type { KubeObject } from '../../../src/domain/kube-object.ts'
import { FakeKube } from '../../fakes/fake-kube.ts'
import { ObjectStore } from '../../fakes/object-store.ts'
import { apiServer } from './api-server.ts'
import { CONTRACT } from './contract.ts'
import { answersOf } from './store-server.ts'

function storeWithPlace(): ObjectStore {
  const store = new ObjectStore()
  const namespace: KubeObject = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'place' } }
  store.put(namespace)
  return store
}

describe.each(Object.entries(CONTRACT))('%s', (_, check) => {
  test('the fake', () => check({ kube: new FakeKube(storeWithPlace()), place: 'place' }))

  test('the adapter in front of the same objects', async () => {
    using server = await apiServer(answersOf(storeWithPlace()))
    await check({ kube: new ClusterObjects(server.api), place: 'place' })
  })
})
