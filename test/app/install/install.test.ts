import { describe, expect, test } from 'vitest'
import { grantPolicies, readGrants } from '../../../src/app/grant/grants.ts'
import { install } from '../../../src/app/install/install.ts'
import { planInstall } from '../../../src/app/install/install-plan.ts'
import type { KubeObject } from '../../../src/domain/kube-object.ts'
import { clusterError } from '../../../src/errors.ts'
import { at } from '../../domain/at.ts'
import { fakeCluster, installedCluster, namespace, up } from '../../fakes/cluster.ts'
import { starting } from '../../fakes/workloads.ts'
import { failure } from '../failure.ts'
import { grantIn, grantNow } from '../grant/granted.ts'

const FENCE = {
  apiVersion: 'security.istio.io/v1',
  kind: 'AuthorizationPolicy',
  namespace: 'kube-registry',
  name: 'fence',
}
const SECRET = { apiVersion: 'v1', kind: 'Secret', namespace: 'kube-registry', name: 'registry-http' }
const OLD: KubeObject = {
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'old', namespace: 'kube-registry', labels: { 'regctl.dev/installation': 'kube-registry' } },
}

describe('up', () => {
  test('applies namespaces first, every policy before what serves, and the fence settled between', async () => {
    const { kube, ...cluster } = fakeCluster()
    await up({ kube, ...cluster })
    const index = (part: string) => kube.writes.findLastIndex((write) => write.includes(part))
    const serving = kube.writes.findIndex((write) => /^apply (Deployment|DaemonSet) /.test(write))
    expect(kube.writes.slice(0, 2)).toEqual(['apply Namespace kube-registry', 'apply Namespace kube-registry-node'])
    expect(kube.writes.slice(serving)).toEqual([
      'apply Deployment kube-registry/kube-registry',
      'apply DaemonSet kube-registry-node/registry-node',
    ])
    expect(kube.writes[serving - 1]).toBe('create AuthorizationPolicy kube-registry/fence')
    expect(kube.writes.filter((write) => write.startsWith('create '))).toEqual([
      'create Secret kube-registry/registry-http',
      'create AuthorizationPolicy kube-registry/fence',
    ])
    for (const part of [
      'read-nodes',
      'PeerAuthentication',
      'ValidatingAdmissionPolicyBinding',
      'EnvoyFilter',
      'Secret',
    ])
      expect([part, index(part)]).toEqual([part, expect.toSatisfy((at: number) => at >= 0 && at < serving)])
  })

  test('proves it in every step, and says what was made', async () => {
    const cluster = fakeCluster()
    const { changed, removed, ready, port } = await up(cluster)
    expect([changed.length, removed, ready, port]).toEqual([21, [], true, 5000])
    expect(changed).toContain('DaemonSet kube-registry-node/registry-node created')
    expect(cluster.report.steps).toEqual([
      'Check the cluster',
      'Apply namespaces, policies and settings',
      'Apply the registry and its proxies',
      'Wait for the registry and a proxy on every node',
      'Check that every Envoy took our filters',
      "Prove the policies in the registry's proxy",
      'Pull and try to push through a node proxy',
    ])
  })

  test('a second time changes no object', async () => {
    const cluster = await installedCluster()
    await grantIn(cluster, 'ci', 'team')
    const versions = () =>
      ['AuthorizationPolicy', 'Deployment', 'DaemonSet', 'ConfigMap', 'Secret', 'Namespace'].map((kind) =>
        [...['v1', 'apps/v1', 'security.istio.io/v1']]
          .flatMap((apiVersion) => cluster.store.list({ apiVersion, kind }))
          .map(({ metadata }) => `${metadata.name} ${metadata.resourceVersion}`),
      )
    const before = versions()
    expect(await up(cluster)).toMatchObject({ changed: [], removed: [] })
    expect(versions()).toEqual(before)
  })

  test('puts right what somebody changed', async () => {
    const cluster = await installedCluster()
    const service = { apiVersion: 'v1', kind: 'Service', namespace: 'kube-registry', name: 'kube-registry' }
    await cluster.kube.mergePatch(service, { spec: { selector: { app: 'other' } } })
    await cluster.kube.mergePatch(FENCE, { spec: { rules: [] } })
    expect((await up(cluster)).changed).toEqual([
      'AuthorizationPolicy kube-registry/fence changed',
      'Service kube-registry/kube-registry changed',
    ])
    expect(cluster.store.read(service)?.spec).toMatchObject({ selector: { app: 'kube-registry' } })
    expect(JSON.stringify(cluster.store.read(FENCE)?.spec)).toContain('notPrincipals')
  })

  test('tells changed from created', async () => {
    const cluster = await installedCluster()
    expect((await up(cluster, { size: '50Gi' })).changed).toEqual([
      'ConfigMap kube-registry/regctl changed',
      'PersistentVolumeClaim kube-registry/registry-data changed',
    ])
  })

  test('makes the http secret once and keeps it', async () => {
    const cluster = await installedCluster()
    const before = cluster.store.read(SECRET)
    expect(before?.stringData).toEqual({ secret: expect.stringMatching(/^[\w-]{43}$/) })
    await up(cluster)
    expect(cluster.store.read(SECRET)).toEqual(before)
    const other = fakeCluster()
    await up(other)
    expect(other.store.read(SECRET)?.stringData).not.toEqual(before?.stringData)
  })
})

describe('grants made while up runs', () => {
  test('stay in the fence, though the plan does not know them', async () => {
    const cluster = await installedCluster()
    await grantIn(cluster, 'ci', 'team')
    const plan = await planInstall(cluster.ports, 'kube-registry', {})
    await grantIn(cluster, 'web', 'site')
    cluster.kube.turn = () => expect(JSON.stringify(cluster.store.read(FENCE))).toContain('ns/web/sa/*')
    await install(cluster.ports, plan, { wait: true, timeoutMs: 60_000 })
    expect(JSON.stringify(cluster.store.read(FENCE))).toContain('cluster.local/ns/web/sa/*')
    expect((await readGrants(cluster.kube, at)).map((grant) => grant.namespace)).toEqual(['ci', 'web'])
  })

  test('are proven with the rest, and one revoked meanwhile stays revoked in the fence', async () => {
    const cluster = await installedCluster()
    await grantIn(cluster, 'ci', 'team')
    const plan = await planInstall(cluster.ports, 'kube-registry', {})
    cluster.store.put(namespace('late'))
    const done: Promise<unknown>[] = []
    cluster.kube.turn = ({ what }) => {
      if (what !== 'DaemonSet kube-registry-node/registry-node' || done.length > 0) return
      done.push(grantNow(cluster, 'late more'))
    }
    await install(cluster.ports, plan, { wait: true, timeoutMs: 60_000 })
    await Promise.all(done)
    expect(done).toHaveLength(1)
    expect(JSON.stringify(cluster.store.read(FENCE))).toContain('cluster.local/ns/late/sa/*')
  })

  test('a fence that went missing is made again', async () => {
    const cluster = await installedCluster()
    await grantIn(cluster, 'ci', 'team')
    for (const name of ['fence', 'writes-ci']) cluster.store.remove({ ...FENCE, name })
    await up(cluster)
    expect(JSON.stringify(cluster.store.read(FENCE))).toContain('cluster.local/ns/ci/sa/*')
    expect(cluster.store.read({ ...FENCE, name: 'writes-ci' })?.metadata.ownerReferences).toHaveLength(1)
    expect((await grantPolicies(cluster.kube, at)).map(({ metadata }) => metadata.name)).toContain('reads-ci')
  })
})

describe('what is surplus', () => {
  test('goes after the new pods are ready', async () => {
    const cluster = await installedCluster()
    cluster.store.put(OLD)
    expect((await up(cluster)).removed).toEqual(['ConfigMap kube-registry/old'])
    expect(cluster.kube.writes.at(-1)).toBe('remove ConfigMap kube-registry/old')
  })

  test('stays when they do not get ready, and when up does not wait for them', async () => {
    const cluster = await installedCluster()
    cluster.store.put(OLD)
    cluster.workloads.start = starting
    await expect(up(cluster, { image: 'example.org/none' })).rejects.toEqual(failure('NOT_READY', 5))
    expect(cluster.kube.writes).not.toContain('remove ConfigMap kube-registry/old')
    expect(await up(cluster, {}, false)).toMatchObject({ removed: [], ready: false })
    expect(cluster.kube.writes).not.toContain('remove ConfigMap kube-registry/old')
    expect(cluster.report.warnings).toEqual([
      'Left until a later up waits for the new pods: ConfigMap kube-registry/old',
    ])
  })
})

describe('what goes wrong', () => {
  test('an object that is refused is named, with the ways on, and what serves is not applied', async () => {
    const cluster = fakeCluster()
    cluster.kube.turn = ({ verb, what }) => {
      if (verb === 'apply' && what === 'Service kube-registry/kube-registry')
        throw clusterError('INVALID', 'cannot apply it: port is bad', { suggestions: ['look'] })
    }
    await expect(up(cluster)).rejects.toMatchObject({
      code: 'APPLY_FAILED',
      oclif: { exit: 5 },
      message: 'Service kube-registry/kube-registry could not be applied: cannot apply it: port is bad',
      suggestions: [
        'look',
        'regctl up, which goes on from here once the cause is gone',
        'regctl down, which takes back what was applied',
      ],
    })
    expect(cluster.kube.writes.filter((write) => /Deployment|DaemonSet/.test(write))).toEqual([])
    cluster.kube.turn = () => {}
    expect((await up(cluster)).changed).toEqual([
      'AuthorizationPolicy kube-registry/fence created',
      'Service kube-registry/kube-registry created',
      'Deployment kube-registry/kube-registry created',
      'DaemonSet kube-registry-node/registry-node created',
    ])
  })

  test('a proxy that does not follow the policies, and one that is gone by then', async () => {
    const cluster = fakeCluster()
    cluster.mesh.freeze()
    await expect(up(cluster)).rejects.toEqual(failure('NOT_PROVEN', 5, 'nodes never write'))
    await expect(up(cluster)).rejects.toThrow(/ after 30 s: /)
    const plan = await planInstall(cluster.ports, 'kube-registry', {})
    await expect(install(cluster.ports, plan, { wait: true, timeoutMs: 1000 })).rejects.toThrow(/ after 5 s: /)
    cluster.mesh.thaw()
    cluster.report.steps.length = 0
    cluster.kube.turn = () => {
      if (cluster.report.steps.at(-1) !== "Prove the policies in the registry's proxy") return
      cluster.workloads.start = starting
      cluster.workloads.again()
    }
    await expect(up(cluster)).rejects.toEqual(failure('NO_REGISTRY', 5))
  })

  test('Ctrl-C ends the wait', async () => {
    const cluster = fakeCluster()
    cluster.workloads.start = starting
    cluster.clock.after(3000, () => cluster.abort.abort(new Error('stopped')))
    await expect(up(cluster)).rejects.toThrow('stopped')
    expect(cluster.clock.now()).toBeLessThan(1_000_000 + 60_000)
  })

  test('a bug is not taken for the cluster’s no', async () => {
    const cluster = fakeCluster()
    const plan = await planInstall(cluster.ports, 'kube-registry', {})
    cluster.kube.turn = ({ verb }) => {
      if (verb === 'apply') throw new TypeError('bug')
    }
    await expect(install(cluster.ports, plan, { wait: true, timeoutMs: 1 })).rejects.toThrow(TypeError)
  })
})
