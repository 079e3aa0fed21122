import { expect, test } from 'vitest'
import { waitReady } from '../../../src/app/install/rollout.ts'
import type { KubeObject } from '../../../src/domain/kube-object.ts'
import { at } from '../../domain/at.ts'
import { type FakeCluster, installedCluster } from '../../fakes/cluster.ts'
import { ready, type Start, starting } from '../../fakes/workloads.ts'
import { failure } from '../failure.ts'

/** Waits, with what was noted on the way without repetitions. */
async function wait(cluster: FakeCluster, timeoutMs = 60_000): Promise<readonly string[]> {
  const notes = new Set<string>()
  await waitReady(cluster.ports, at, [], timeoutMs, (text) => notes.add(text))
  return [...notes]
}

async function restarted(start: Start) {
  const cluster = await installedCluster()
  cluster.workloads.start = start
  cluster.workloads.again()
  return cluster
}

const elapsed = ({ clock }: FakeCluster) => clock.now() - 1_000_000

test('what is ready needs no waiting', async () => {
  const cluster = await installedCluster()
  expect(await wait(cluster)).toEqual(['registry 1/1, node proxy 2/2'])
  expect(elapsed(cluster)).toBe(0)
})

test('follows registry and nodes until both are there', async () => {
  const cluster = await restarted(starting)
  const turn = (start: Start) => () => {
    cluster.workloads.start = start
    cluster.workloads.again()
  }
  cluster.clock.after(
    2000,
    turn((pod) => (pod.namespace === 'kube-registry' ? ready(pod) : starting(pod))),
  )
  cluster.clock.after(
    4000,
    turn((pod) => (pod.node === 'node1' ? ready(pod) : starting(pod))),
  )
  cluster.clock.after(6000, turn(ready))
  expect(await wait(cluster)).toEqual([
    'registry 0/1, node proxy 0/2',
    'registry 1/1, node proxy 0/2',
    'registry 1/1, node proxy 1/2',
    'registry 1/1, node proxy 2/2',
  ])
  expect(elapsed(cluster)).toBeLessThan(7000)
})

test('tells after fifteen seconds what a pod waits for', async () => {
  const stuck: Start = () => ({ ...starting({ namespace: '', node: '' }), reason: 'Evicted' })
  const cluster = await restarted((pod) => (pod.node === 'node2' ? stuck(pod) : ready(pod)))
  cluster.clock.after(20_000, () => {
    cluster.workloads.start = ready
    cluster.workloads.again()
  })
  const notes = await wait(cluster)
  expect(notes[0]).toBe('registry 1/1, node proxy 1/2')
  expect(notes[1]).toMatch(/^registry 1\/1, node proxy 1\/2; pod kube-registry-node\/registry-node-\d+: /)
  expect(notes).toHaveLength(3)
})

test('ends at the deadline with every pod that is not ready, why, and what helps', async () => {
  const cluster = await restarted(() => ({
    phase: 'Pending',
    containerStatuses: [
      { name: 'registry', ready: false, restartCount: 0, state: { waiting: { reason: 'ErrImagePull' } } },
    ],
  }))
  const error = await wait(cluster, 10_000).catch((caught: unknown) => caught)
  expect(error).toEqual(failure('NOT_READY', 5, 'registry 0/1, node proxy 0/2 ready after 10 s'))
  expect(error).toMatchObject({
    message: expect.stringMatching(
      /\n {2}pod kube-registry\/kube-registry-\d+: container registry waits: ErrImagePull/,
    ),
    suggestions: [
      'regctl up --image AN_IMAGE_THE_NODES_CAN_PULL',
      'regctl up --timeout 10m, to wait longer; what is applied stays and can be continued',
    ],
  })
  expect((error as { details: { findings: unknown[] } }).details.findings).toHaveLength(3)
  expect(elapsed(cluster)).toBeLessThan(11_000)
})

test('only what is missing is named', async () => {
  const cluster = await restarted((pod) => (pod.node === 'node2' ? starting(pod) : ready(pod)))
  await expect(wait(cluster, 5000)).rejects.toEqual(failure('NOT_READY', 5, 'node proxy 1/2 ready after 5 s'))
  await expect(wait(cluster, 5000)).rejects.not.toThrow(/registry 1\/1/)
})

test.each<[string, string, Readonly<Record<string, unknown>>]>([
  ['a Deployment whose controller has not seen the change', 'Deployment', { observedGeneration: 0 }],
  ['a pod of before beside the new one', 'Deployment', { replicas: 2 }],
  ['a pod of before instead of the new one', 'Deployment', { updatedReplicas: 0 }],
  ['a DaemonSet whose controller has not seen the change', 'DaemonSet', { observedGeneration: 0 }],
  ['node proxies that still run the old version', 'DaemonSet', { updatedNumberScheduled: 1 }],
  ['no node at all', 'DaemonSet', { desiredNumberScheduled: 0, numberReady: 0, updatedNumberScheduled: 0 }],
])('%s is not ready', async (_, kind, status) => {
  const cluster = await installedCluster()
  const [workload] = cluster.store
    .list({ apiVersion: 'apps/v1', kind })
    .filter(({ metadata }) => metadata.namespace?.startsWith('kube-registry'))
  const stale = { ...(workload as KubeObject), status: { ...(workload?.status as object), ...status } }
  cluster.kube.get = async (ref) => (ref.kind === kind ? stale : cluster.store.read(ref))
  await expect(wait(cluster, 2000)).rejects.toEqual(failure('NOT_READY', 5))
})

test('workloads that are gone are not ready either', async () => {
  const cluster = await installedCluster()
  cluster.store.remove({ apiVersion: 'apps/v1', kind: 'Deployment', namespace: 'kube-registry', name: 'kube-registry' })
  await expect(wait(cluster, 2000)).rejects.toEqual(failure('NOT_READY', 5, 'registry 0/1'))
})
