import { describe, expect, test } from 'vitest'
import { readGrants } from '../../../src/app/grant/grants.ts'
import { type RevokeSelection, revoke, revokeCommand } from '../../../src/app/grant/revoke.ts'
import type { KubeObject } from '../../../src/domain/kube-object.ts'
import { grantKey } from '../../../src/domain/policy/grant.ts'
import { at, grantFrom } from '../../domain/at.ts'
import {
  type FakeCluster,
  fakeCluster,
  forget,
  installedCluster,
  namespace,
  serviceAccount,
} from '../../fakes/cluster.ts'
import { starting } from '../../fakes/workloads.ts'
import { failure } from '../failure.ts'
import { grantIn, grantNow } from './granted.ts'

const SIDECAR = { apiVersion: 'networking.istio.io/v1', kind: 'Sidecar' }

/** Namespace ci and these grants, none of it on record. */
async function granted(...texts: readonly string[]) {
  const cluster = await installedCluster()
  cluster.store.put(namespace('ci'))
  for (const name of ['pusher', 'other']) cluster.store.put(serviceAccount('ci', name))
  if (texts.some((text) => text.startsWith('web '))) cluster.store.put(namespace('web'))
  for (const text of texts) await grantNow(cluster, text)
  forget(cluster)
  return cluster
}

const revokeNow = (
  { ports }: FakeCluster,
  selection: Omit<RevokeSelection, 'namespace'> & { readonly namespace?: string } = {},
  options: { readonly now?: boolean; readonly timeoutMs?: number } = {},
) => revoke(ports, 'kube-registry', { namespace: 'ci', ...selection }, { now: false, timeoutMs: 30_000, ...options })

const left = async ({ kube }: FakeCluster) => (await readGrants(kube, at)).map(grantKey)

const ciNamespace = ({ store }: FakeCluster) =>
  store.read({ apiVersion: 'v1', kind: 'Namespace', name: 'ci' }) as KubeObject

describe('a revoke', () => {
  test('removes the policy, settles the fences and proves the refusal', async () => {
    const cluster = await granted('ci team', 'web site')
    expect(await revokeNow(cluster, { repository: 'team' })).toEqual({
      revoked: [grantFrom('ci team')],
      provenIn: 1,
      replaced: [],
    })
    expect(cluster.kube.writes.slice(0, 3)).toEqual([
      expect.stringMatching(/^remove AuthorizationPolicy kube-registry\/grant-ci-team-/),
      'apply AuthorizationPolicy kube-registry/fence',
      'remove AuthorizationPolicy kube-registry/reads-ci',
    ])
    expect(await left(cluster)).toEqual(['web * site subtree write'])
  })

  test('of nothing changes nothing and is no error', async () => {
    const cluster = await granted('ci team')
    for (const selection of [{ repository: 'other' }, { namespace: 'nobody' }])
      expect(await revokeNow(cluster, selection)).toEqual({ revoked: [], provenIn: 0, replaced: [] })
    expect(cluster.kube.writes).toEqual([])
  })

  test('without an installation is an error', async () => {
    await expect(revokeNow(fakeCluster())).rejects.toEqual(failure('NOT_INSTALLED', 3))
  })

  test('of all takes every grant of the namespace, and no other’s', async () => {
    const cluster = await granted('ci team', 'ci other exact', 'web site')
    expect((await revokeNow(cluster)).revoked).toHaveLength(2)
    expect(await left(cluster)).toEqual(['web * site subtree write'])
  })

  test('stays and fails where it cannot be proven', async () => {
    const cluster = await granted('ci team')
    cluster.mesh.freeze()
    await expect(revokeNow(cluster, {}, { timeoutMs: 4000 })).rejects.toEqual(
      failure('NOT_PROVEN', 5, 'ci on team: push refused, but PUT /v2/team/manifests/1 is allowed'),
    )
    expect(await left(cluster)).toEqual([])
    expect(cluster.clock.now() - 1_000_000).toBe(4000)
  })

  test('proves that what another grant gives stays', async () => {
    const cluster = await granted('ci team', 'ci team/app exact')
    expect((await revokeNow(cluster, { repository: 'team/app' })).provenIn).toBe(1)
    expect(await left(cluster)).toEqual(['ci * team subtree write'])
  })

  test('of a namespace that is gone finishes', async () => {
    const cluster = await granted('ci team')
    const policies = cluster.store.list({ apiVersion: 'security.istio.io/v1', kind: 'AuthorizationPolicy' })
    cluster.store.remove({ apiVersion: 'v1', kind: 'Namespace', name: 'ci' })
    for (const policy of policies) cluster.store.put(policy)
    expect((await revokeNow(cluster)).revoked).toHaveLength(1)
    expect(await left(cluster)).toEqual([])
  })
})

describe('which grant', () => {
  const TWO = ['ci/pusher team', 'ci/other team exact'] as const

  test('is asked where several fit, with the command for each', async () => {
    const cluster = await granted(...TWO, 'ci team', 'ci team read')
    await expect(revokeNow(cluster, { repository: 'team' })).rejects.toMatchObject({
      code: 'AMBIGUOUS',
      oclif: { exit: 2 },
      message: expect.stringMatching(/^4 grants fit: .*ci \* team subtree read/),
      suggestions: expect.arrayContaining([
        'regctl revoke ci team --no-service-account --no-exact --no-read-only',
        'regctl revoke ci team --no-service-account --no-exact --read-only',
        'regctl revoke ci team --service-account pusher --no-exact --no-read-only',
        'regctl revoke ci team --service-account other --exact --no-read-only',
      ]),
    })
    expect(cluster.kube.writes).toEqual([])
  })

  test.each([...TWO, 'ci team', 'ci team read', 'ci team exact read'])(
    '%j is found by the command for it',
    async (text) => {
      const cluster = await granted(...TWO, 'ci team', 'ci team read', 'ci team exact read')
      const command = revokeCommand(grantFrom(text))
      const account = /--service-account (\S+)/.exec(command)?.[1]
      const { revoked } = await revokeNow(cluster, {
        repository: 'team',
        serviceAccount: command.includes('--no-service-account') ? null : (account ?? 'none'),
        exact: !command.includes('--no-exact'),
        readOnly: !command.includes('--no-read-only'),
      })
      expect(revoked).toEqual([grantFrom(text)])
    },
  )

  test.each<[Omit<RevokeSelection, 'namespace'>, string]>([
    [{ serviceAccount: 'pusher' }, 'ci pusher team subtree write'],
    [{ exact: true }, 'ci other team exact write'],
    [{ exact: false }, 'ci pusher team subtree write'],
  ])('%o is enough', async (selection, key) => {
    const cluster = await granted(...TWO)
    const { revoked } = await revokeNow(cluster, { repository: 'team', ...selection })
    expect(revoked.map(grantKey)).toEqual([key])
  })
})

describe('with the last grant of a namespace', () => {
  test('go the labels and the listener, and not before', async () => {
    const cluster = await granted('ci team', 'ci other')
    await revokeNow(cluster, { repository: 'team' })
    expect(ciNamespace(cluster).metadata.labels).toHaveProperty('istio-injection', 'enabled')
    expect(cluster.store.list(SIDECAR, { namespace: 'ci' })).toHaveLength(1)
    await revokeNow(cluster, { repository: 'other' })
    expect(ciNamespace(cluster).metadata.labels).toEqual({ 'kubernetes.io/metadata.name': 'ci' })
    expect(ciNamespace(cluster).metadata.annotations).toEqual({})
    expect(cluster.store.list(SIDECAR, { namespace: 'ci' })).toEqual([])
  })

  test('labels that somebody changed since stay as they are', async () => {
    const cluster = await granted('ci team')
    await cluster.kube.mergePatch(
      { apiVersion: 'v1', kind: 'Namespace', name: 'ci' },
      { metadata: { labels: { 'istio-injection': 'disabled' } } },
    )
    await revokeNow(cluster)
    expect(ciNamespace(cluster).metadata.labels).toHaveProperty('istio-injection', 'disabled')
  })

  test('labels regctl did not add stay', async () => {
    const cluster = await installedCluster()
    cluster.store.put(namespace('ci', { 'istio-injection': 'enabled' }))
    await grantIn(cluster, 'ci', 'team')
    await revokeNow(cluster)
    expect(ciNamespace(cluster).metadata.labels).toHaveProperty('istio-injection', 'enabled')
  })

  test.each([
    [undefined, { 'istio-injection': 'disabled' }],
    ['canary', { 'istio-injection': 'disabled' }],
    ['canary', { 'istio.io/rev': 'old' }],
    [undefined, { 'istio.io/rev': 'old' }],
  ])('with revision %s labels that gave way come back: %o', async (revision, labels) => {
    const cluster = await installedCluster(revision === undefined ? {} : { revision })
    cluster.store.put(namespace('ci', labels))
    const before = ciNamespace(cluster).metadata.labels
    await grantIn(cluster, 'ci', 'team', { inject: true })
    expect(ciNamespace(cluster).metadata.labels).not.toEqual(before)
    await revokeNow(cluster)
    expect(ciNamespace(cluster).metadata.labels).toEqual(before)
    expect(ciNamespace(cluster).metadata.annotations).toEqual({})
  })

  test('a Sidecar that was merged into is as it was', async () => {
    const cluster = await granted()
    const spec = { egress: [{ hosts: ['./*'] }], outboundTrafficPolicy: { mode: 'ALLOW_ANY' } }
    const mine = { ...SIDECAR, metadata: { name: 'mine', namespace: 'ci' }, spec }
    cluster.store.put(mine)
    await grantIn(cluster, 'ci', 'team', { mergeSidecar: true })
    await revokeNow(cluster)
    const found = cluster.store.read({ ...SIDECAR, namespace: 'ci', name: 'mine' })
    expect([found?.spec, found?.metadata.annotations]).toEqual([spec, {}])
  })

  test('a listener somebody wrote by hand stays', async () => {
    const cluster = await granted()
    const entry = { port: { number: 5000, protocol: 'TCP', name: 'x' }, bind: '127.0.0.1', hosts: ['kube-registry/*'] }
    cluster.store.put({ ...SIDECAR, metadata: { name: 'mine', namespace: 'ci' }, spec: { egress: [entry] } })
    await grantIn(cluster, 'ci', 'team')
    await revokeNow(cluster)
    expect(cluster.store.read({ ...SIDECAR, namespace: 'ci', name: 'mine' })?.spec).toEqual({ egress: [entry] })
  })
})

describe('revoke --now', () => {
  test('warns, replaces the pod without drain and waits for the new one', async () => {
    const cluster = await granted('ci team')
    const [before] = cluster.store.list({ apiVersion: 'v1', kind: 'Pod' }, { namespace: 'kube-registry' })
    const graces: unknown[] = []
    const remove = cluster.kube.remove.bind(cluster.kube)
    cluster.kube.remove = (ref, options = {}) => {
      if (ref.kind === 'Pod') graces.push([cluster.report.warnings.length, options.gracePeriodSeconds])
      return remove(ref, options)
    }
    const { replaced } = await revokeNow(cluster, {}, { now: true })
    expect(replaced).toEqual([before?.metadata.name])
    expect(graces).toEqual([[1, 1]])
    expect(cluster.report.warnings).toEqual([
      `Replacing pod ${before?.metadata.name} now: running pushes and pulls of every namespace and node are cut`,
    ])
    expect(cluster.kube.writes.at(-1)).toBe(`remove Pod kube-registry/${before?.metadata.name}`)
  })

  test('fails where no new pod is ready within 15 seconds', async () => {
    const cluster = await granted('ci team')
    cluster.workloads.start = starting
    await expect(revokeNow(cluster, {}, { now: true })).rejects.toEqual(failure('NOT_REPLACED', 5))
    expect(cluster.clock.now() - 1_000_000).toBeLessThan(16_000)
    expect(await left(cluster)).toEqual([])
  })

  test('has nothing to replace where nothing runs', async () => {
    const cluster = await granted('ci team')
    cluster.store.remove({
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      namespace: 'kube-registry',
      name: 'kube-registry',
    })
    expect((await revokeNow(cluster, {}, { now: true })).replaced).toEqual([])
    expect(cluster.report.warnings).toEqual([])
  })

  test('cuts nothing where nothing was revoked', async () => {
    const cluster = await granted('ci team')
    await revokeNow(cluster, { repository: 'other' }, { now: true })
    expect(cluster.kube.writes).toEqual([])
  })
})
