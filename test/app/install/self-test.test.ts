import { expect, test } from 'vitest'
import { selfTest } from '../../../src/app/install/self-test.ts'
import { at } from '../../domain/at.ts'
import { installedCluster } from '../../fakes/cluster.ts'
import { starting } from '../../fakes/workloads.ts'
import { failure } from '../failure.ts'

test('pulls and tries to push through a ready node proxy, as a kubelet names the registry', async () => {
  const cluster = await installedCluster()
  expect(await selfTest(cluster.ports, at)).toBe('node1')
  expect(cluster.pods.asked).toEqual(
    ['GET /v2/', 'POST /v2/regctl-self-test/blobs/uploads/'].map((what) => ({
      how: 'request',
      pod: expect.stringMatching(/^kube-registry-node\/registry-node-/),
      at: 5000,
      what,
      host: 'localhost:5000',
    })),
  )
})

test('goes by the port of the installation', async () => {
  const cluster = await installedCluster({ port: 5001 })
  await selfTest(cluster.ports, { ...at, port: 5001 })
  expect(cluster.pods.asked.map(({ at: port, host }) => [port, host])).toEqual([
    [5001, 'localhost:5001'],
    [5001, 'localhost:5001'],
  ])
})

test('without a ready node proxy there is nothing to test', async () => {
  const cluster = await installedCluster()
  cluster.workloads.start = starting
  cluster.workloads.again()
  await expect(selfTest(cluster.ports, at)).rejects.toEqual(failure('SELF_TEST', 5, 'no node proxy is ready'))
})

test('takes the node that is ready', async () => {
  const cluster = await installedCluster()
  const [first] = cluster.store.list({ apiVersion: 'v1', kind: 'Pod' }, { namespace: 'kube-registry-node' })
  cluster.store.put({ ...first, status: {} } as NonNullable<typeof first>)
  expect(await selfTest(cluster.ports, at)).toBe('node2')
})

test.each([
  ['a push that gets in', 'POST', 202, 'a push through the node proxy of node1 got 202 instead of 403'],
  ['a pull that is refused', 'GET', 403, 'a pull through the node proxy of node1 got 403 instead of 200'],
])('%s fails at once', async (_, method, status, message) => {
  const cluster = await installedCluster()
  cluster.pods.script(({ what }) => (what.startsWith(method) ? { status, headers: {}, body: 'why' } : undefined))
  await expect(selfTest(cluster.ports, at)).rejects.toEqual(failure('SELF_TEST', 5, `${message}: why`))
  expect(cluster.clock.now()).toBe(1_000_000)
})

test('a long answer is cut', async () => {
  const cluster = await installedCluster()
  cluster.pods.script(() => ({ status: 404, headers: {}, body: 'x'.repeat(5000) }))
  const error = await selfTest(cluster.ports, at).catch((caught: Error) => caught)
  expect((error as Error).message.length).toBeLessThan(300)
})

test('waits for the first connection upstream, but not for ever', async () => {
  const cluster = await installedCluster()
  const undo = cluster.pods.script(() => 503)
  cluster.clock.after(3000, undo)
  expect(await selfTest(cluster.ports, at)).toBe('node1')
  cluster.pods.script(() => 503)
  await expect(selfTest(cluster.ports, at)).rejects.toEqual(failure('SELF_TEST', 5, 'got 503 instead of 200'))
  expect(cluster.clock.now() - 1_000_000).toBeLessThan(20_000)
})
