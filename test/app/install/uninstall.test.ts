import { describe, expect, test } from 'vitest'
import { uninstall } from '../../../src/app/install/uninstall.ts'
import type { KubeObject } from '../../../src/domain/kube-object.ts'
import { type FakeCluster, fakeCluster, installedCluster, namespace, pod, up } from '../../fakes/cluster.ts'
import { failure } from '../failure.ts'
import { grantIn } from '../grant/granted.ts'

const down = ({ ports }: FakeCluster, deleteData = false) =>
  uninstall(ports, 'kube-registry', { deleteData, timeoutMs: 10_000 })

const remaining = ({ store }: FakeCluster, apiVersion: string, kind: string) =>
  store.list({ apiVersion, kind }).map(({ metadata }) => `${metadata.namespace ?? ''}/${metadata.name}`)

const foreign = (apiVersion: string, kind: string, name: string, at = 'kube-registry'): KubeObject => ({
  apiVersion,
  kind,
  metadata: { name, namespace: at },
})

describe('down', () => {
  test('stops what serves first, takes the policies after its last request, the namespaces last', async () => {
    const cluster = await installedCluster()
    const { removed, dataKept } = await down(cluster, true)
    const { writes } = cluster.kube
    expect(writes.slice(0, 2)).toEqual([
      'remove Deployment kube-registry/kube-registry',
      'remove DaemonSet kube-registry-node/registry-node',
    ])
    expect(writes.slice(-2)).toEqual(['remove Namespace kube-registry-node', 'remove Namespace kube-registry'])
    expect(writes.indexOf('remove AuthorizationPolicy kube-registry/fence')).toBeGreaterThan(1)
    expect(writes.indexOf('remove PeerAuthentication kube-registry/kube-registry')).toBeGreaterThan(
      writes.indexOf('remove AuthorizationPolicy kube-registry/fence'),
    )
    expect(dataKept).toBe(false)
    expect(removed).toEqual(writes.map((write) => write.replace('remove ', '')))
    expect(removed).toContain('ValidatingAdmissionPolicy regctl-host-port-kube-registry')
    expect(cluster.store.list({ apiVersion: 'v1', kind: 'Namespace' }).map(({ metadata }) => metadata.name)).toEqual([
      'default',
      'istio-system',
      'kube-system',
    ])
  })

  test('keeps the policies until the last pod is gone', async () => {
    const cluster = await installedCluster({}, { finalized: ({ kind }) => kind === 'Pod' && lingering })
    let lingering = true
    const policies = () => remaining(cluster, 'security.istio.io/v1', 'AuthorizationPolicy').length
    const seen: number[] = []
    cluster.clock.after(3000, () => {
      seen.push(policies())
      lingering = false
      for (const { metadata, apiVersion, kind } of cluster.store.list({ apiVersion: 'v1', kind: 'Pod' }))
        cluster.store.remove({ apiVersion, kind, namespace: metadata.namespace ?? '', name: metadata.name })
    })
    await down(cluster)
    expect(seen).toEqual([2])
    expect(policies()).toBe(0)
    expect(cluster.report.notes).toContain('3 pods left')
  })

  test('gives up on pods that stay, with the policies in force', async () => {
    const cluster = await installedCluster({}, { finalized: ({ kind }) => kind === 'Pod' })
    await expect(down(cluster)).rejects.toEqual(
      failure('PODS_STAY', 5, 'did not end in 10 s; the policies stay until they do'),
    )
    expect(remaining(cluster, 'security.istio.io/v1', 'AuthorizationPolicy')).toHaveLength(2)
    expect(cluster.kube.writes).toHaveLength(2)
  })

  test('waits for the namespaces, and says which stays', async () => {
    const cluster = await installedCluster({}, { finalized: ({ kind }) => kind === 'Namespace' })
    await expect(down(cluster, true)).rejects.toEqual(
      failure('NAMESPACE_STAYS', 5, 'namespace "kube-registry" is still being deleted'),
    )
    expect(cluster.clock.now() - 1_000_000).toBeGreaterThan(9000)
  })

  test('where nothing is, and a second time, removes nothing', async () => {
    const cluster = await installedCluster()
    await down(cluster, true)
    expect(await down(cluster, true)).toEqual({ removed: [], foreign: [], dataKept: false })
    expect(await down(fakeCluster())).toEqual({ removed: [], foreign: [], dataKept: false })
  })

  test('goes on where one was interrupted, though the settings are gone already', async () => {
    const cluster = await installedCluster()
    cluster.store.remove({ apiVersion: 'v1', kind: 'ConfigMap', namespace: 'kube-registry', name: 'regctl' })
    await down(cluster, true)
    expect(remaining(cluster, 'apps/v1', 'DaemonSet')).toEqual([])
    expect(remaining(cluster, 'v1', 'Namespace')).not.toContain('/kube-registry')
  })

  test('leaves another installation alone', async () => {
    const cluster = await installedCluster()
    cluster.store.put(namespace('images'))
    const other = foreign('security.istio.io/v1', 'AuthorizationPolicy', 'fence', 'images')
    cluster.store.put({ ...other, metadata: { ...other.metadata, labels: { 'regctl.dev/installation': 'images' } } })
    await down(cluster, true)
    expect(remaining(cluster, 'security.istio.io/v1', 'AuthorizationPolicy')).toEqual(['images/fence'])
  })
})

describe('image data', () => {
  test('stays with its namespace unless asked for, and the next up has it again', async () => {
    const cluster = await installedCluster({ size: '1Gi' })
    const before = remaining(cluster, 'v1', 'PersistentVolumeClaim')
    expect(await down(cluster)).toMatchObject({ dataKept: true, foreign: [] })
    expect(remaining(cluster, 'v1', 'PersistentVolumeClaim')).toEqual(before)
    expect(remaining(cluster, 'v1', 'Namespace')).toContain('/kube-registry')
    expect(remaining(cluster, 'v1', 'Namespace')).not.toContain('/kube-registry-node')
    expect((await up(cluster)).changed).not.toContain('PersistentVolumeClaim kube-registry/registry-data created')
    expect(await down(cluster, true)).toMatchObject({ dataKept: false })
    expect(remaining(cluster, 'v1', 'PersistentVolumeClaim')).toEqual([])
  })

  test('on emptydir cannot stay, so it has to be given up by name', async () => {
    const cluster = await installedCluster({ storage: 'emptydir' })
    await expect(down(cluster)).rejects.toEqual(failure('DATA_WOULD_GO', 4))
    expect(cluster.kube.writes).toEqual([])
    expect(await down(cluster, true)).toMatchObject({ dataKept: false })
  })
})

describe('objects of others', () => {
  test.each([
    ['v1', 'ConfigMap', 'default'],
    ['v1', 'Secret', 'mine'],
    ['apps/v1', 'StatefulSet', 'database'],
    ['batch/v1', 'CronJob', 'backup'],
    ['rbac.authorization.k8s.io/v1', 'RoleBinding', 'team'],
    ['networking.k8s.io/v1', 'NetworkPolicy', 'deny'],
    ['networking.istio.io/v1', 'VirtualService', 'route'],
  ])('%s %s %s is named and stays with its namespace', async (apiVersion, kind, name) => {
    const cluster = await installedCluster()
    cluster.store.put(foreign(apiVersion, kind, name, 'kube-registry-node'))
    const { foreign: left, removed } = await down(cluster, true)
    expect(left).toEqual([`${kind} kube-registry-node/${name}`])
    expect(remaining(cluster, apiVersion, kind)).toContain(`kube-registry-node/${name}`)
    expect(removed).toContain('Namespace kube-registry')
    expect(removed).not.toContain('Namespace kube-registry-node')
  })

  test('what a namespace always holds, and what others derive, is not theirs', async () => {
    const cluster = await installedCluster()
    for (const name of ['kube-root-ca.crt', 'istio-ca-root-cert']) cluster.store.put(foreign('v1', 'ConfigMap', name))
    cluster.store.put(foreign('v1', 'ServiceAccount', 'default'))
    const derived = pod('kube-registry', 'derived')
    const owner = { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'x', uid: 'x' }
    cluster.store.put({ ...derived, metadata: { ...derived.metadata, ownerReferences: [owner] } })
    const ending = pod('kube-registry', 'ending')
    cluster.store.put({ ...ending, metadata: { ...ending.metadata, deletionTimestamp: 'now' } })
    expect((await down(cluster, true)).foreign).toEqual([])
  })

  test('a namespace that is not ours stays', async () => {
    const cluster = await installedCluster()
    cluster.store.put(namespace('kube-registry'))
    expect((await down(cluster, true)).removed).not.toContain('Namespace kube-registry')
    expect(remaining(cluster, 'v1', 'Namespace')).toContain('/kube-registry')
  })
})

test('builders get back the labels and Sidecars they had', async () => {
  const cluster = await installedCluster()
  await grantIn(cluster, 'ci', 'team')
  await grantIn(cluster, 'web', 'site', { pods: { key: 'builder', value: 'yes' } })
  expect(remaining(cluster, 'networking.istio.io/v1', 'Sidecar')).toHaveLength(4)
  await down(cluster)
  expect(remaining(cluster, 'networking.istio.io/v1', 'Sidecar')).toEqual([])
  const { labels, annotations } =
    cluster.store.read({ apiVersion: 'v1', kind: 'Namespace', name: 'ci' })?.metadata ?? {}
  expect([labels, annotations]).toEqual([{ 'kubernetes.io/metadata.name': 'ci' }, {}])
})

describe('a builder that is left by an interrupted down', () => {
  const LABELS = { 'kubernetes.io/metadata.name': 'ci' }
  const labelsOf = ({ store }: FakeCluster) =>
    store.read({ apiVersion: 'v1', kind: 'Namespace', name: 'ci' })?.metadata.labels
  const state = { apiVersion: 'v1', kind: 'ConfigMap', namespace: 'kube-registry', name: 'regctl' }

  test('with its Sidecar is tidied all the same', async () => {
    const cluster = await installedCluster()
    const { policy } = await grantIn(cluster, 'ci', 'team')
    for (const name of [policy, 'writes-ci'])
      cluster.store.remove({
        apiVersion: 'security.istio.io/v1',
        kind: 'AuthorizationPolicy',
        namespace: 'kube-registry',
        name,
      })
    await down(cluster)
    expect(labelsOf(cluster)).toEqual(LABELS)
  })

  test('with a merged Sidecar too, though the settings are gone', async () => {
    const cluster = await installedCluster()
    cluster.store.put(namespace('ci'))
    const spec = { egress: [{ hosts: ['./*'] }] }
    const mine = foreign('networking.istio.io/v1', 'Sidecar', 'mine', 'ci')
    cluster.store.put({ ...mine, spec })
    await grantIn(cluster, 'ci', 'team', { mergeSidecar: true })
    cluster.store.remove(state)
    await down(cluster)
    expect(cluster.store.read({ ...mine, namespace: 'ci', name: 'mine' })?.spec).toEqual(spec)
    expect(labelsOf(cluster)).toEqual(LABELS)
  })
})
