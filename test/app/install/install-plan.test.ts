import { describe, expect, test } from 'vitest'
import { planInstall } from '../../../src/app/install/install-plan.ts'
import { render } from '../../../src/app/install/render.ts'
import { uninstall } from '../../../src/app/install/uninstall.ts'
import { describeRef, type KubeObject, refOf } from '../../../src/domain/kube-object.ts'
import type { GivenSettings } from '../../../src/domain/settings.ts'
import { fakeCluster, forget, installedCluster, namespace } from '../../fakes/cluster.ts'
import { failure } from '../failure.ts'
import { grantIn } from '../grant/granted.ts'

const plan = (
  { ports }: Pick<ReturnType<typeof fakeCluster>, 'ports'>,
  given: GivenSettings = {},
  at = 'kube-registry',
) => planInstall(ports, at, given)

const named = (objects: readonly KubeObject[]) => objects.map((object) => describeRef(refOf(object)))
const changed = async (planned: ReturnType<typeof plan>) =>
  (await planned).changes
    .filter(({ action }) => action !== 'unchanged')
    .map(({ ref, action }) => [action, describeRef(ref)])

const config = (name: string, more: Partial<KubeObject['metadata']> = {}): KubeObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace: 'kube-registry', ...more },
})

describe('on an empty cluster', () => {
  test('everything is to create, compared locally, and nothing is written', async () => {
    const cluster = fakeCluster()
    const { changes, wanted, comparedLocally, surplus } = await plan(cluster)
    expect(new Set(changes.map(({ action }) => action))).toEqual(new Set(['create']))
    expect(changes).toHaveLength(wanted.length)
    expect([comparedLocally, surplus]).toEqual([true, []])
    expect(cluster.kube.writes).toEqual([])
  })

  test('a namespace that is there without being ours is refused, with all that is foreign', async () => {
    const cluster = fakeCluster()
    cluster.store.put(namespace('kube-registry'))
    cluster.store.put(config('registry-config'))
    await expect(plan(cluster)).rejects.toEqual(
      failure(
        'NOT_OURS',
        4,
        "Namespace kube-registry, ConfigMap kube-registry/registry-config exist and are not regctl's",
      ),
    )
  })

  test('the registry may live in another namespace', async () => {
    const { wanted } = await plan(fakeCluster(), {}, 'images')
    const places = new Set(wanted.map(({ metadata }) => metadata.namespace ?? metadata.name))
    expect(places).toEqual(new Set(['images', 'images-node', 'regctl-host-port-images']))
  })
})

describe('a second time', () => {
  test('nothing changes, by the word of the API server', async () => {
    const cluster = await installedCluster()
    const { changes, surplus, comparedLocally } = await plan(cluster)
    expect(new Set(changes.map(({ action }) => action))).toEqual(new Set(['unchanged']))
    expect([comparedLocally, surplus]).toEqual([false, []])
    expect(cluster.kube.writes).toEqual([])
  })

  test('what was given is kept, and a flag or its --no form changes it', async () => {
    const cluster = await installedCluster({ image: 'example.org/registry:3', size: '1Gi' })
    expect((await plan(cluster)).settings).toMatchObject({ image: 'example.org/registry:3', size: '1Gi', port: 5000 })
    expect(await changed(plan(cluster))).toEqual([])
    expect((await plan(cluster, { image: null })).settings).toMatchObject({
      image: 'docker.io/library/registry:3',
      size: '1Gi',
    })
    expect(await changed(plan(cluster, { size: '2Gi' }))).toEqual([
      ['update', 'ConfigMap kube-registry/regctl'],
      ['update', 'PersistentVolumeClaim kube-registry/registry-data'],
    ])
  })

  test('what somebody changed is to be put right', async () => {
    const cluster = await installedCluster()
    const ref = { apiVersion: 'v1', kind: 'Service', namespace: 'kube-registry', name: 'kube-registry' }
    const service = cluster.store.read(ref)
    cluster.store.put({
      ...(service as KubeObject),
      spec: { ...(service?.spec as object), selector: { app: 'other' } },
    })
    cluster.store.remove({ ...ref, apiVersion: 'networking.istio.io/v1', kind: 'Sidecar' })
    expect(await changed(plan(cluster))).toEqual([
      ['create', 'Sidecar kube-registry/kube-registry'],
      ['update', 'Service kube-registry/kube-registry'],
    ])
  })

  test.each<[string, GivenSettings, GivenSettings]>([
    ['another port', {}, { port: 5001 }],
    ['another kind of storage', {}, { storage: 'emptydir' }],
    ['storage back to its default', { storage: 'emptydir' }, { storage: null }],
    ['another storage class', {}, { storageClass: 'standard' }],
    ['no storage class any more', { storageClass: 'standard' }, { storageClass: null }],
    ['a smaller volume', {}, { size: '1Gi' }],
  ])('%s is refused', async (_, first, then) => {
    const cluster = await installedCluster(first)
    await expect(plan(cluster, then)).rejects.toEqual(failure('SETTING_FIXED', 4))
    expect(cluster.kube.writes).toEqual([])
  })

  test('in another namespace is refused, with the commands for the one that is there', async () => {
    const cluster = await installedCluster()
    await expect(plan(cluster, {}, 'images')).rejects.toEqual(
      failure('SECOND_INSTALL', 4, 'installed in namespace "kube-registry" already'),
    )
    await expect(plan(cluster, {}, 'images')).rejects.toMatchObject({
      suggestions: ['regctl up --namespace kube-registry', 'regctl down --namespace kube-registry'],
    })
  })

  test('what an older regctl made is surplus; what holds data or belongs to a grant is not', async () => {
    const cluster = await installedCluster()
    const labels = { 'regctl.dev/installation': 'kube-registry' }
    cluster.store.put(config('old', { labels }))
    cluster.store.put({ ...config('old', { labels }), kind: 'Secret' })
    cluster.store.put({ ...config('old', { labels }), kind: 'PersistentVolumeClaim' })
    cluster.store.put(config('granted', { labels: { ...labels, 'regctl.dev/grant': 'ci' } }))
    cluster.store.put(config('theirs', { labels: { 'regctl.dev/installation': 'other' } }))
    expect(named((await plan(cluster)).surplus)).toEqual(['ConfigMap kube-registry/old'])
  })

  test('the filter for an Istio without connectionSettings is surplus once it has them', async () => {
    const cluster = await installedCluster({ istioVersion: '1.30.2' })
    const { surplus, changes } = await plan(cluster, { istioVersion: null })
    expect(named(surplus)).toEqual(['EnvoyFilter kube-registry/path-hardening'])
    expect(changes.filter(({ action }) => action === 'update').map(({ ref }) => ref.kind)).toEqual([
      'ConfigMap',
      'Deployment',
    ])
  })
})

describe('with grants', () => {
  test('their policies and fences are wanted, owned by their namespaces, and unchanged', async () => {
    const cluster = await installedCluster()
    await grantIn(cluster, 'ci', 'team')
    const { wanted, grants } = await plan(cluster)
    expect(grants).toHaveLength(1)
    const own = wanted.filter(({ metadata }) => metadata.labels?.['regctl.dev/grant'] === 'ci')
    expect(named(own)).toEqual([
      'MutatingAdmissionPolicy regctl-context-first-ci',
      'MutatingAdmissionPolicyBinding regctl-context-first-ci',
      'AuthorizationPolicy kube-registry/writes-ci',
      'AuthorizationPolicy kube-registry/reads-ci',
      expect.stringMatching(/^AuthorizationPolicy kube-registry\/grant-ci-team-/),
    ])
    const uid = cluster.store.read({ apiVersion: 'v1', kind: 'Namespace', name: 'ci' })?.metadata.uid
    for (const { metadata } of own)
      expect(metadata.ownerReferences).toEqual([{ apiVersion: 'v1', kind: 'Namespace', name: 'ci', uid }])
    expect(await changed(plan(cluster))).toEqual([])
  })

  test('one whose namespace has just gone has no owner any more', async () => {
    const cluster = await installedCluster()
    const { policy } = await grantIn(cluster, 'ci', 'team')
    const ref = {
      apiVersion: 'security.istio.io/v1',
      kind: 'AuthorizationPolicy',
      namespace: 'kube-registry',
      name: policy,
    }
    const found = cluster.store.read(ref) as KubeObject
    cluster.store.remove({ apiVersion: 'v1', kind: 'Namespace', name: 'ci' })
    cluster.store.put(found)
    const { wanted } = await plan(cluster)
    expect(wanted.find(({ metadata }) => metadata.name === policy)?.metadata).not.toHaveProperty('ownerReferences')
  })

  test('a fence that misses one is to be put right', async () => {
    const cluster = await installedCluster()
    await grantIn(cluster, 'ci', 'team')
    await grantIn(cluster, 'web', 'site')
    cluster.store.remove({ apiVersion: 'v1', kind: 'Namespace', name: 'ci' })
    expect(await changed(plan(cluster))).toEqual([['update', 'AuthorizationPolicy kube-registry/fence']])
  })
})

describe('over the data a down left', () => {
  async function kept() {
    const cluster = await installedCluster({ size: '1Gi', storageClass: 'standard', image: 'example.org/registry:3' })
    await uninstall(cluster.ports, 'kube-registry', { deleteData: false, timeoutMs: 1000 })
    forget(cluster)
    return cluster
  }

  test('size and class are kept, a port may be chosen anew', async () => {
    const { settings, comparedLocally } = await plan(await kept(), { port: 5001 })
    expect(comparedLocally).toBe(true)
    expect(settings).toEqual({
      port: 5001,
      storage: 'pvc',
      storageClass: 'standard',
      size: '1Gi',
      image: 'docker.io/library/registry:3',
    })
  })

  test.each<GivenSettings>([{ storage: 'emptydir' }, { size: '10Mi' }, { storageClass: 'fast' }])(
    '%o would lose it',
    async (given) => {
      await expect(plan(await kept(), given)).rejects.toEqual(failure('SETTING_FIXED', 4))
    },
  )

  test('a volume without a class is of no class that was given', async () => {
    const cluster = await kept()
    const ref = { apiVersion: 'v1', kind: 'PersistentVolumeClaim', namespace: 'kube-registry', name: 'registry-data' }
    const claim = cluster.store.read(ref) as KubeObject
    cluster.store.put({ ...claim, spec: { resources: { requests: { storage: '1Gi' } } } })
    expect((await plan(cluster)).settings).toEqual({
      port: 5000,
      storage: 'pvc',
      size: '1Gi',
      image: 'docker.io/library/registry:3',
    })
  })

  test('a volume of that name that is not ours says nothing of the settings', async () => {
    const cluster = fakeCluster()
    cluster.store.put(namespace('kube-registry'))
    cluster.store.put({
      ...config('registry-data'),
      kind: 'PersistentVolumeClaim',
      spec: { resources: { requests: { storage: '7Gi' } } },
    })
    await expect(plan(cluster)).rejects.toEqual(failure('NOT_OURS', 4, 'registry-data'))
  })
})

test('render gives what up applies, without any secret', async () => {
  const cluster = await installedCluster()
  await grantIn(cluster, 'ci', 'team')
  const objects = await render(cluster.ports, 'kube-registry', {})
  expect(objects).toEqual((await plan(cluster)).wanted)
  expect(objects.map(({ kind }) => kind)).not.toContain('Secret')
})
