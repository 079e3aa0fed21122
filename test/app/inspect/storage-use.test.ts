import type { V1Pod } from '@kubernetes/client-node'
import { expect, test } from 'vitest'
import { registryPods } from '../../../src/app/cluster/proxy.ts'
import { storageUse } from '../../../src/app/inspect/storage-use.ts'
import { DEFAULTS } from '../../../src/domain/settings.ts'
import { at } from '../../domain/at.ts'
import { fakeCluster, installedCluster } from '../../fakes/cluster.ts'
import type { Answer } from '../../fakes/fake-pods.ts'

async function used(answer: Answer): Promise<number | undefined> {
  const { ports, pods } = await installedCluster()
  pods.script(({ what, at: container }) => (what.startsWith('du ') && container === 'registry' ? answer : undefined))
  return (await storageUse(ports, at, DEFAULTS, (await registryPods(ports, at))[0])).usedBytes
}

test.each<[string, Answer, number | undefined]>([
  ['kibibytes as du prints them', '2048\t/var/lib/registry\n', 2 ** 21],
  ['an empty directory', '0\t/var/lib/registry\n', 0],
  ['more than 2^31', '5000000000\t/var/lib/registry\n', 5_000_000_000 * 1024],
  ['a du that failed', { stdout: '12\t/var', stderr: 'denied', exitCode: 1 }, undefined],
  ['nothing', '', undefined],
  ['another language', 'du: x', undefined],
  ['an image without du', new Error('no such file'), undefined],
])('%s', async (_, answer, expected) => expect(await used(answer)).toBe(expected))

test('the size is the volume’s own, the phase what it says', async () => {
  const { ports, store } = await installedCluster({ size: '1Gi' })
  const ref = { apiVersion: 'v1', kind: 'PersistentVolumeClaim', namespace: 'kube-registry', name: 'registry-data' }
  const pod = (await registryPods(ports, at))[0] as V1Pod
  const settings = { ...DEFAULTS, size: '2Gi' }
  expect(await storageUse(ports, at, settings, pod)).toEqual({
    kind: 'pvc',
    usedBytes: 2 ** 21,
    size: '1Gi',
    phase: 'Bound',
  })
  store.remove(ref)
  expect(await storageUse(ports, at, settings, undefined)).toEqual({ kind: 'pvc', size: '2Gi', phase: 'missing' })
})

test('an emptydir has no size', async () => {
  expect(await storageUse(fakeCluster().ports, at, { ...DEFAULTS, storage: 'emptydir' }, undefined)).toEqual({
    kind: 'emptydir',
  })
})
