import type { V1Pod } from '@kubernetes/client-node'
import { expect, test } from 'vitest'
import { registryPods } from '../../../src/app/cluster/proxy.ts'
import { Problems } from '../../../src/app/inspect/problems.ts'
import { storageUse } from '../../../src/app/inspect/storage-use.ts'
import { DEFAULTS } from '../../../src/domain/settings.ts'
import { at } from '../../domain/at.ts'
import { fakeCluster, installedCluster } from '../../fakes/cluster.ts'
import type { Answer } from '../../fakes/fake-pods.ts'

async function used(answer: Answer): Promise<number | undefined> {
  const { ports, pods } = await installedCluster()
  pods.script(({ what, at: container }) => (what.startsWith('du ') && container === 'registry' ? answer : undefined))
  return (await storageUse(ports, at, DEFAULTS, (await registryPods(ports, at))[0], new Problems())).usedBytes
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
  expect(await storageUse(ports, at, settings, pod, new Problems())).toEqual({
    kind: 'pvc',
    usedBytes: 2 ** 21,
    size: '1Gi',
    phase: 'Bound',
  })
  store.remove(ref)
  expect(await storageUse(ports, at, settings, undefined, new Problems())).toEqual({
    kind: 'pvc',
    size: '2Gi',
    phase: 'missing',
  })
})

test('an emptydir has no size', async () => {
  expect(
    await storageUse(fakeCluster().ports, at, { ...DEFAULTS, storage: 'emptydir' }, undefined, new Problems()),
  ).toEqual({
    kind: 'emptydir',
  })
})

const df = (percent: string): string =>
  `Filesystem           1024-blocks    Used Available Capacity Mounted on\n/dev/vda                 1014752    983704     31048      ${percent} /var/lib/registry\n`

async function full(answer: Answer, change: Partial<typeof DEFAULTS> = {}) {
  const { ports, pods } = await installedCluster()
  pods.script(({ what, at: container }) => (what.startsWith('df ') && container === 'registry' ? answer : undefined))
  const problems = new Problems()
  const pod = (await registryPods(ports, at))[0]
  const { fullPercent } = await storageUse(ports, at, { ...DEFAULTS, ...change }, pod, problems)
  return { fullPercent, found: problems.found }
}

test.each<[string, Answer, number | undefined]>([
  ['room', df('94%'), 94],
  ['none known', df('-'), undefined],
  ['an image without df', new Error('no such file'), undefined],
  ['a df that failed', { stdout: df('97%'), stderr: 'denied', exitCode: 1 }, undefined],
])('a volume with %s is no problem', async (_, answer, fullPercent) =>
  expect(await full(answer)).toEqual({ fullPercent, found: [] }),
)

test.each([95, 100])('a volume that is %i %% full is a problem, and a larger one helps', async (percent) =>
  expect(await full(df(`${percent}%`), { size: '1Gi' })).toEqual({
    fullPercent: percent,
    found: [
      {
        what: `the volume of the registry is ${percent} % full: without room nobody can push, pulls go on`,
        fix: 'regctl up --size SIZE, more than 1Gi, where the storage class lets volumes grow',
      },
    ],
  }),
)

test('images in the pod take the disk of its node', async () =>
  expect((await full(df('96%'), { storage: 'emptydir' })).found).toEqual([
    expect.objectContaining({ fix: 'make room on the disk of node node1' }),
  ]))
