import { describe, expect, test } from 'vitest'
import { readGrants } from '../../../src/app/grant/grants.ts'
import { decide } from '../../../src/domain/envoy/rbac.ts'
import { grantKey } from '../../../src/domain/policy/grant.ts'
import { clusterError } from '../../../src/errors.ts'
import { at } from '../../domain/at.ts'
import {
  type FakeCluster,
  fakeCluster,
  forget,
  installedCluster,
  namespace,
  pod,
  serviceAccount,
} from '../../fakes/cluster.ts'
import { starting } from '../../fakes/workloads.ts'
import { failure } from '../failure.ts'
import { grantIn, grantNow } from './granted.ts'
import { Interleaving } from './interleaving.ts'

async function withCi(labels: Readonly<Record<string, string>> = {}) {
  const cluster = await installedCluster()
  cluster.store.put(namespace('ci', labels))
  return cluster
}

const grants = async ({ kube }: FakeCluster) => (await readGrants(kube, at)).map(grantKey)

const policies = ({ store }: FakeCluster) =>
  store.list({ apiVersion: 'security.istio.io/v1', kind: 'AuthorizationPolicy' }).map(({ metadata }) => metadata.name)

const ciNamespace = ({ store }: FakeCluster) => store.read({ apiVersion: 'v1', kind: 'Namespace', name: 'ci' })

const mayPush = ({ mesh }: FakeCluster, path: string) =>
  decide(mesh.filters(), {
    principal: 'spiffe://cluster.local/ns/ci/sa/default',
    method: 'PUT',
    path: `/v2/${path}/manifests/1`,
    host: 'localhost:5000',
    port: 5000,
  }).allowed

describe('a grant', () => {
  test('applies, settles, prepares the namespace and is proven, in this order', async () => {
    const cluster = await withCi()
    const result = await grantNow(cluster, 'ci team')
    expect(result).toEqual({
      grant: { namespace: 'ci', repository: 'team', exact: false, readOnly: false },
      policy: expect.stringMatching(/^grant-ci-team-[0-9a-f]{10}$/),
      changed: true,
      addedLabels: { 'istio-injection': 'enabled' },
      warnings: [
        'pods of the namespace that run already get localhost at their next start (Sidecar ci/regctl-localhost)',
      ],
      provenIn: 1,
    })
    expect(cluster.kube.writes).toEqual([
      `apply AuthorizationPolicy kube-registry/${result.policy}`,
      'create AuthorizationPolicy kube-registry/writes-ci',
      'apply AuthorizationPolicy kube-registry/fence',
      'create AuthorizationPolicy kube-registry/reads-ci',
      'apply Sidecar ci/regctl-localhost',
      'patch Namespace ci',
      'apply MutatingAdmissionPolicy regctl-context-first-ci',
      'apply MutatingAdmissionPolicyBinding regctl-context-first-ci',
    ])
    expect(cluster.report.steps).toEqual([
      'Apply the policies',
      'Prepare namespace ci',
      "Prove them in the registry's proxy",
    ])
    expect([mayPush(cluster, 'team/app'), mayPush(cluster, 'team2')]).toEqual([true, false])
  })

  test('a second time changes nothing', async () => {
    const cluster = await withCi()
    await grantIn(cluster, 'ci', 'team')
    const before = ciNamespace(cluster)
    expect(await grantNow(cluster, 'ci team')).toMatchObject({ changed: false, addedLabels: {}, warnings: [] })
    expect(ciNamespace(cluster)).toEqual(before)
    expect(await grants(cluster)).toHaveLength(1)
  })

  test('a second time puts right what somebody changed or took away', async () => {
    const cluster = await withCi()
    const { policy } = await grantIn(cluster, 'ci', 'team')
    const ref = {
      apiVersion: 'security.istio.io/v1',
      kind: 'AuthorizationPolicy',
      namespace: 'kube-registry',
      name: policy,
    }
    await cluster.kube.mergePatch(ref, { spec: { rules: [] } })
    expect(mayPush(cluster, 'team')).toBe(false)
    expect(await grantNow(cluster, 'ci team')).toMatchObject({ changed: false, provenIn: 1 })
    expect(mayPush(cluster, 'team')).toBe(true)
    const sidecar = { apiVersion: 'networking.istio.io/v1', kind: 'Sidecar', namespace: 'ci', name: 'regctl-localhost' }
    cluster.store.remove(sidecar)
    expect(await grantNow(cluster, 'ci team')).toMatchObject({ changed: true, addedLabels: {} })
    await cluster.kube.mergePatch(
      { apiVersion: 'v1', kind: 'Namespace', name: 'ci' },
      { metadata: { labels: { 'istio-injection': null } } },
    )
    expect(await grantNow(cluster, 'ci team')).toMatchObject({
      changed: true,
      addedLabels: { 'istio-injection': 'enabled' },
    })
  })

  test('goes with its namespace', async () => {
    const cluster = await withCi()
    await grantNow(cluster, 'ci team')
    cluster.store.remove({ apiVersion: 'v1', kind: 'Namespace', name: 'ci' })
    expect(policies(cluster)).toEqual(['fence', 'read-nodes'])
  })

  test('of one service account is that account’s alone', async () => {
    const cluster = await withCi()
    cluster.store.put(serviceAccount('ci', 'pusher'))
    await grantNow(cluster, 'ci/pusher team')
    expect(await grants(cluster)).toEqual(['ci pusher team subtree write'])
    expect(mayPush(cluster, 'team')).toBe(false)
  })

  test('is proven by the trust domain of the mesh', async () => {
    const cluster = await withCi()
    cluster.mesh.trustDomain = 'mesh.example'
    expect((await grantNow(cluster, 'ci team')).provenIn).toBe(1)
  })

  test('says so where no registry is ready to prove it in', async () => {
    const cluster = await withCi()
    cluster.workloads.start = starting
    cluster.workloads.again()
    expect((await grantNow(cluster, 'ci team')).provenIn).toBe(0)
  })

  test('waits for a proxy that follows late', async () => {
    const cluster = await withCi()
    cluster.mesh.freeze()
    cluster.clock.after(10_000, () => cluster.mesh.thaw())
    expect((await grantNow(cluster, 'ci team')).provenIn).toBe(1)
    expect(cluster.clock.now() - 1_000_000).toBe(10_000)
  })
})

describe('is refused with nothing written,', () => {
  const refused = async (cluster: FakeCluster, text: string, code: string, exit: number, message: string) => {
    await expect(grantNow(cluster, text)).rejects.toEqual(failure(code, exit, message))
    expect(cluster.kube.writes).toEqual([])
  }

  test('where there is no registry', () => refused(fakeCluster(), 'ci team', 'NOT_INSTALLED', 3, 'no registry'))

  test('where the namespace is missing or going', async () => {
    const cluster = await installedCluster()
    await refused(cluster, 'ci team', 'NO_NAMESPACE', 3, 'namespace "ci" does not exist')
    const going = namespace('ci')
    cluster.store.put({ ...going, metadata: { ...going.metadata, deletionTimestamp: 'now' } })
    await refused(cluster, 'ci team', 'NO_NAMESPACE', 3, 'namespace "ci" is being deleted')
  })

  test('where the service account does not exist', async () =>
    refused(await withCi(), 'ci/nobody team', 'NO_SERVICE_ACCOUNT', 3, '"nobody" does not exist in namespace "ci"'))

  test('where the namespace would have to change for others', async () => {
    const cluster = await withCi()
    cluster.store.put(pod('ci', 'app'))
    await refused(cluster, 'ci team', 'INJECTION', 4, 'runs pods without an Istio proxy: app')
  })
})

describe('not proven in time', () => {
  test('it is taken back, with the labels and the listener', async () => {
    const cluster = await withCi({ team: 'a' })
    const before = ciNamespace(cluster)?.metadata.labels
    cluster.mesh.freeze()
    await expect(grantNow(cluster, 'ci team', { timeoutMs: 5000 })).rejects.toEqual(
      failure('NOT_PROVEN', 5, 'does not follow the policies after 5 s'),
    )
    await expect(grantNow(cluster, 'ci team', { timeoutMs: 0 })).rejects.toMatchObject({
      message: expect.stringMatching(/; the grant was taken back$/),
      details: { faults: expect.arrayContaining([expect.stringContaining('ci on team: push, but')]) },
    })
    expect(policies(cluster)).toEqual(['fence', 'read-nodes'])
    expect(cluster.store.list({ apiVersion: 'networking.istio.io/v1', kind: 'Sidecar' }, { namespace: 'ci' })).toEqual(
      [],
    )
    expect([ciNamespace(cluster)?.metadata.labels, ciNamespace(cluster)?.metadata.annotations]).toEqual([before, {}])
  })

  test('what was granted before stays', async () => {
    const cluster = await withCi()
    await grantIn(cluster, 'ci', 'team')
    cluster.mesh.freeze()
    await expect(grantNow(cluster, 'ci more', { timeoutMs: 0 })).rejects.toThrow(/taken back/)
    expect(await grants(cluster)).toEqual(['ci * team subtree write'])
    expect(ciNamespace(cluster)?.metadata.labels).toHaveProperty('istio-injection')
    cluster.mesh.rejected.set('kube-registry-1', [{ listener: 'virtualInbound', details: 'bad' }])
    const again = grantNow(cluster, 'ci team', { timeoutMs: 0 })
    await expect(again).rejects.toEqual(failure('NOT_PROVEN', 5))
    await expect(again).rejects.not.toThrow(/taken back/)
    expect(await grants(cluster)).toEqual(['ci * team subtree write'])
  })

  test('it is taken back though its namespace went meanwhile', async () => {
    const cluster = await withCi()
    cluster.mesh.freeze()
    const [pod] = cluster.store.list({ apiVersion: 'v1', kind: 'Pod' }, { namespace: 'kube-registry' })
    cluster.mesh.rejected.set(pod?.metadata.name ?? '', [{ listener: 'virtualInbound', details: 'bad' }])
    cluster.clock.after(1000, () => cluster.store.remove({ apiVersion: 'v1', kind: 'Namespace', name: 'ci' }))
    await expect(grantNow(cluster, 'ci team', { timeoutMs: 2000 })).rejects.toThrow(/; the grant was taken back$/)
    expect(policies(cluster)).toEqual(['fence', 'read-nodes'])
  })

  test('it is taken back as well where the fences cannot be written', async () => {
    const cluster = await withCi()
    let broken = true
    cluster.kube.turn = ({ verb, what }) => {
      if (broken && verb === 'create' && what.endsWith('/writes-ci')) {
        broken = false
        throw clusterError('NOT_ADMITTED', 'cannot create it: a webhook says no')
      }
    }
    await expect(grantNow(cluster, 'ci team')).rejects.toEqual(
      failure('NOT_ADMITTED', 5, 'a webhook says no; the grant was taken back'),
    )
    expect(policies(cluster)).toEqual(['fence', 'read-nodes'])
  })

  test('what cannot be taken back is said, with the command', async () => {
    const cluster = await withCi()
    cluster.mesh.freeze()
    cluster.clock.after(2000, () => cluster.abort.abort(new Error('stopped')))
    await expect(grantNow(cluster, 'ci team')).rejects.toThrow('stopped')
    expect(cluster.report.warnings).toEqual([
      'The grant could not be taken back and may be in force: regctl revoke ci team --no-service-account --no-exact --no-read-only',
    ])
  })
})

test('two at once lose nothing, in any order', async () => {
  for (let seed = 0; seed < 6; seed++) {
    const cluster = await withCi()
    cluster.store.put(namespace('web'))
    const order = new Interleaving(seed)
    cluster.kube.turn = order.turn
    const texts = ['ci team', 'web site', 'ci more exact']
    await order.run(texts.map((text) => () => grantNow(cluster, text)))
    cluster.kube.turn = () => {}
    expect(await grants(cluster), `seed ${seed}`).toHaveLength(3)
    expect([mayPush(cluster, 'team'), mayPush(cluster, 'more'), mayPush(cluster, 'site')]).toEqual([true, true, false])
  }
})

describe('remarks', () => {
  test('of a grant that lets two namespaces write the same', async () => {
    const cluster = await withCi()
    await grantIn(cluster, 'web', 'team/app exact')
    await grantIn(cluster, 'reader', 'team/app read')
    const { warnings } = await grantNow(cluster, 'ci team')
    expect(warnings[0]).toBe('namespace web may write team/app as well')
    expect(warnings.filter((text) => text.includes('may write'))).toHaveLength(1)
    expect((await grantNow(cluster, 'web team/app/more')).warnings).toContain(
      'namespace ci may write team and all below it as well',
    )
  })

  test('of the labels pods need with --pods', async () => {
    const cluster = await withCi()
    cluster.store.put(pod('ci', 'app'))
    const { warnings, addedLabels } = await grantNow(cluster, 'ci team', { pods: { key: 'builder', value: 'yes' } })
    expect(warnings[0]).toBe('the pods need the labels builder=yes and sidecar.istio.io/inject=true')
    expect(addedLabels).toEqual({})
    expect(ciNamespace(cluster)?.metadata.labels).not.toHaveProperty('istio-injection')
  })

  test.each([
    ['baseline', false, true],
    ['restricted', false, true],
    ['privileged', false, false],
    ['baseline', true, false],
  ])('of PodSecurity level %s, Istio’s CNI plugin there: %s', async (level, cni, warned) => {
    const cluster = await withCi({ 'pod-security.kubernetes.io/enforce': level })
    const plugin = { name: 'istio-cni-node', namespace: 'istio-system' }
    if (cni) cluster.store.put({ apiVersion: 'apps/v1', kind: 'DaemonSet', metadata: plugin })
    const { warnings } = await grantNow(cluster, 'ci team')
    expect(warnings.some((text) => text.includes(`enforces PodSecurity level ${level}`))).toBe(warned)
  })
})

test('the revision of the installation is the builders’', async () => {
  const cluster = await installedCluster({ revision: 'canary' })
  cluster.store.put(namespace('ci'))
  forget(cluster)
  expect((await grantNow(cluster, 'ci team')).addedLabels).toEqual({ 'istio.io/rev': 'canary' })
})

test('a Sidecar that was merged into counts as a change', async () => {
  const cluster = await withCi({ 'istio-injection': 'enabled' })
  cluster.store.put({
    apiVersion: 'networking.istio.io/v1',
    kind: 'Sidecar',
    metadata: { name: 'mine', namespace: 'ci' },
    spec: { egress: [{ hosts: ['./*'] }] },
  })
  await expect(grantNow(cluster, 'ci team')).rejects.toEqual(failure('FOREIGN_SIDECAR', 4))
  expect(await grants(cluster)).toEqual([])
  const { changed, warnings } = await grantNow(cluster, 'ci team', { mergeSidecar: true })
  expect([changed, warnings]).toEqual([true, []])
})
