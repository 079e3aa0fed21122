import { expect, test } from 'vitest'
import { planInstall } from '../../../src/app/install/install-plan.ts'
import { uninstall } from '../../../src/app/install/uninstall.ts'
import type { KubeObject } from '../../../src/domain/kube-object.ts'
import { type FakeCluster, fakeCluster, installedCluster, namespace, up } from '../../fakes/cluster.ts'
import { failure } from '../failure.ts'

const REF = { apiVersion: 'v1', kind: 'ConfigMap', namespace: 'kube-public', name: 'local-registry-hosting' } as const

async function cluster(): Promise<FakeCluster> {
  const made = await installedCluster()
  made.store.put(namespace('kube-public'))
  return made
}

const published = ({ store }: FakeCluster) => (store.read(REF)?.data ?? {}) as Readonly<Record<string, string>>

test('it is not told unless asked for', async () => {
  const made = await cluster()
  await up(made)
  expect(made.store.read(REF)).toBeUndefined()
})

test('told, kept by a later up, and taken away by --no-publish-local-registry', async () => {
  const made = await cluster()
  await up(made, { publishLocalRegistry: true })
  expect(JSON.parse(published(made)['localRegistryHosting.v1'] ?? '')).toEqual({ host: 'localhost:5000' })
  const again = await planInstall(made.ports, 'kube-registry', {})
  expect(again.changes.filter(({ action }) => action !== 'unchanged')).toEqual([])
  expect(again.surplus).toEqual([])
  await up(made, { publishLocalRegistry: null })
  expect(made.store.read(REF)).toBeUndefined()
})

test('told on the first up, too', async () => {
  const made = fakeCluster()
  made.store.put(namespace('kube-public'))
  await up(made, { publishLocalRegistry: true })
  expect(made.store.read(REF)).toBeDefined()
})

test("what another tool told is refused and stays, as does down's", async () => {
  const made = await cluster()
  const foreign: KubeObject = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: REF.name, namespace: REF.namespace },
    data: { 'localRegistryHosting.v1': 'host: "localhost:5001"\n' },
  }
  made.store.put(foreign)
  const refused = await planInstall(made.ports, 'kube-registry', { publishLocalRegistry: true }).catch(
    (error: unknown) => error,
  )
  expect(refused).toEqual(failure('NOT_OURS', 4, 'ConfigMap kube-public/local-registry-hosting'))
  expect(refused).toMatchObject({ suggestions: ['regctl up --no-publish-local-registry'] })
  await uninstall(made.ports, 'kube-registry', { deleteData: true, timeoutMs: 10_000 })
  expect(published(made)).toEqual(foreign.data)
})

test('down takes it away', async () => {
  const made = await cluster()
  await up(made, { publishLocalRegistry: true })
  await uninstall(made.ports, 'kube-registry', { deleteData: true, timeoutMs: 10_000 })
  expect(made.store.read(REF)).toBeUndefined()
})
