import { expect, test } from 'vitest'
import { revoke } from '../../../src/app/grant/revoke.ts'
import { uninstall } from '../../../src/app/install/uninstall.ts'
import { contextFirstName, MUTATION_KIND } from '../../../src/domain/stack/context-first.ts'
import { preconditionError } from '../../../src/errors.ts'
import { type FakeCluster, forget, installedCluster, namespace, up } from '../../fakes/cluster.ts'
import { grantIn, grantNow } from './granted.ts'

const V1 = 'admissionregistration.k8s.io/v1'
const [POLICY, BINDING] = [MUTATION_KIND, `${MUTATION_KIND}Binding`]
const ref = (kind: string, name = contextFirstName('ci')) => ({ apiVersion: V1, kind, name })
const there = ({ store }: FakeCluster) => [POLICY, BINDING].map((kind) => store.read(ref(kind)) !== undefined)
const revokeAll = ({ ports }: FakeCluster, repository?: string) =>
  revoke(
    ports,
    'kube-registry',
    { namespace: 'ci', ...(repository === undefined ? {} : { repository }) },
    { now: false, timeoutMs: 30_000 },
  )

test('comes with the first grant that may push and goes with the last', async () => {
  const cluster = await installedCluster()
  await grantIn(cluster, 'ci', 'a read')
  expect(there(cluster)).toEqual([false, false])
  await grantIn(cluster, 'ci', 'b')
  await grantIn(cluster, 'ci', 'c')
  expect(there(cluster)).toEqual([true, true])
  await revokeAll(cluster, 'b')
  expect(there(cluster)).toEqual([true, true])
  await revokeAll(cluster, 'c')
  expect(there(cluster)).toEqual([false, false])
})

test('goes with its namespace, and with the installation', async () => {
  const cluster = await installedCluster()
  await grantIn(cluster, 'ci', 'a')
  cluster.store.remove({ apiVersion: 'v1', kind: 'Namespace', name: 'ci' })
  expect(there(cluster)).toEqual([false, false])
  await grantIn(cluster, 'ci', 'a')
  await uninstall(cluster.ports, 'kube-registry', { deleteData: true, timeoutMs: 30_000 })
  expect(there(cluster)).toEqual([false, false])
})

test('is made by up where an older regctl granted, or somebody took it away', async () => {
  const cluster = await installedCluster()
  await grantIn(cluster, 'ci', 'a')
  cluster.store.remove(ref(BINDING))
  await up(cluster)
  expect(there(cluster)).toEqual([true, true])
})

test('is not asked for where the cluster has no such policies', async () => {
  const cluster = await installedCluster()
  cluster.kube.without = [POLICY, BINDING]
  cluster.store.put(namespace('ci'))
  forget(cluster)
  const { warnings } = await grantNow(cluster, 'ci a')
  expect(warnings).toHaveLength(1)
  expect(cluster.kube.writes.join('\n')).not.toContain('Mutating')
})

test('a grant holds without the right to make it, and says what is missing', async () => {
  const cluster = await installedCluster()
  cluster.store.put(namespace('ci'))
  cluster.kube.turn = ({ verb, what }) => {
    if (what.startsWith(POLICY)) throw preconditionError('FORBIDDEN', `not allowed to ${verb} ${what}`)
  }
  const { warnings, provenIn } = await grantNow(cluster, 'ci a')
  expect(provenIn).toBe(1)
  expect(warnings.at(-1)).toMatch(/^Skaffold's own Kaniko pods are not taken care of: not allowed to get Mutating/)
})

test("another's object of that name stays as it is", async () => {
  const cluster = await installedCluster()
  cluster.store.put(namespace('ci'))
  const theirs = cluster.store.put({
    apiVersion: V1,
    kind: POLICY,
    metadata: { name: contextFirstName('ci') },
    spec: {},
  })
  const { warnings } = await grantNow(cluster, 'ci a')
  expect(warnings.at(-1)).toContain('exists and is not regctl')
  await revokeAll(cluster, 'a')
  expect(cluster.store.read(ref(POLICY))).toEqual(theirs)
})

test('a grant that comes while the last one goes keeps it', async () => {
  const cluster = await installedCluster()
  await grantIn(cluster, 'ci', 'a')
  let late: Promise<unknown> | undefined
  cluster.kube.turn = async ({ verb, what }) => {
    if (verb !== 'remove' || !what.startsWith(POLICY) || late !== undefined) return
    late = Promise.resolve()
    await grantNow(cluster, 'ci b')
  }
  await revokeAll(cluster, 'a')
  expect(there(cluster)).toEqual([true, true])
})
