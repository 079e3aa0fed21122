import { describe, expect, test } from 'vitest'
import { grantExternal } from '../../../src/app/external/grant.ts'
import { readExternalGrants, readIssuers } from '../../../src/app/external/grants.ts'
import { type ExternalSelection, revokeExternal } from '../../../src/app/external/revoke.ts'
import { settleExternal } from '../../../src/app/external/settle.ts'
import { status } from '../../../src/app/inspect/status.ts'
import { uninstall } from '../../../src/app/install/uninstall.ts'
import { settlePolicies } from '../../../src/app/policies/settle.ts'
import { type ExternalGrant, externalKey } from '../../../src/domain/external/grant.ts'
import type { Keys } from '../../../src/domain/external/keys.ts'
import { revokeExternalCommand } from '../../../src/domain/external/revoke-command.ts'
import { exposurePolicy } from '../../../src/domain/policy/exposure.ts'
import { at } from '../../domain/at.ts'
import { exposed, external, GITHUB, GITLAB, MAIN } from '../../domain/external/sets.ts'
import { type FakeCluster, forget, installedCluster, namespace, up } from '../../fakes/cluster.ts'
import { grantNow } from '../grant/granted.ts'
import { Interleaving } from '../grant/interleaving.ts'
import { add, refusal } from '../tenant/kit.ts'

const FENCE = {
  apiVersion: 'security.istio.io/v1',
  kind: 'AuthorizationPolicy',
  namespace: 'kube-registry',
  name: 'fence',
}
const HOST = exposed('registry.example', 'public/*')

/** A registry that is exposed, and these grants. */
async function granted(...grants: readonly ExternalGrant[]): Promise<FakeCluster> {
  const cluster = await installedCluster()
  cluster.store.put(exposurePolicy(at, HOST))
  cluster.store.put(namespace('kube-registry-expose', { 'regctl.dev/installation': 'kube-registry' }))
  await settlePolicies(cluster.kube, at)
  for (const one of grants) await give(cluster, one)
  forget(cluster)
  return cluster
}

const give = ({ ports }: FakeCluster, wanted: ExternalGrant, keys?: Keys) =>
  grantExternal(ports, 'kube-registry', wanted, { keys, timeoutMs: 30_000 })

const take = ({ ports }: FakeCluster, selection: Partial<ExternalSelection> = {}) =>
  revokeExternal(ports, 'kube-registry', { subject: MAIN, ...selection }, { now: false, timeoutMs: 30_000 })

const held = async ({ kube }: FakeCluster) => (await readExternalGrants(kube, at)).map(externalKey).sort()

const leftovers = ({ store }: FakeCluster) =>
  [
    { apiVersion: 'security.istio.io/v1', kind: 'RequestAuthentication' },
    { apiVersion: 'networking.istio.io/v1alpha3', kind: 'EnvoyFilter' },
  ]
    .flatMap((type) => store.list(type))
    .filter(({ metadata }) => metadata.labels?.['regctl.dev/external'] !== undefined)
    .map(({ kind, metadata }) => `${kind} ${metadata.name}`)

describe('a grant', () => {
  test('is proven, with the issuer known before the fence lets anybody in', async () => {
    const cluster = await granted()
    expect(await give(cluster, external('team'))).toEqual({
      grant: external('team'),
      policy: expect.stringMatching(/^external-team-[0-9a-f]{10}$/),
      hosts: ['registry.example'],
      changed: true,
      warnings: [],
      provenIn: 1,
    })
    expect(cluster.kube.writes).toEqual([
      expect.stringMatching(/^apply AuthorizationPolicy kube-registry\/external-team-/),
      'create EnvoyFilter kube-registry/no-mount-from-outside',
      'create EnvoyFilter kube-registry-expose/token-as-password',
      expect.stringMatching(/^create RequestAuthentication kube-registry\/tokens-/),
      'apply AuthorizationPolicy kube-registry/fence',
    ])
  })

  test('again changes nothing', async () => {
    const cluster = await granted(external('team'))
    const before = cluster.store.read(FENCE)?.spec
    expect(await give(cluster, external('team'))).toMatchObject({ changed: false, warnings: [] })
    expect(cluster.store.read(FENCE)?.spec).toEqual(before)
  })

  test('of more subjects, issuers and audiences adds to what is there', async () => {
    const all = [
      external('team'),
      external('team', { audience: 'else' }),
      external('other'),
      external('other', { subject: 'two' }),
      external('team', { issuer: GITLAB }),
    ]
    const cluster = await granted(...all)
    expect(await held(cluster)).toEqual(all.map(externalKey).sort())
    expect(leftovers(cluster)).toHaveLength(4)
  })

  test('without a host to come in by is refused before anything is done', async () => {
    const cluster = await installedCluster()
    const error = await refusal(give(cluster, external('team')))
    expect([error.code, error.oclif.exit, error.suggestions]).toEqual([
      'NOT_EXPOSED',
      3,
      ['regctl expose HOST --tls SECRET'],
    ])
    expect(cluster.kube.writes).toEqual([])
  })

  test('whose keys istiod cannot get is taken back, with what helps', async () => {
    const cluster = await granted()
    cluster.mesh.keys = '{"keys":[{"e":"AQAB","kid":"abc","kty":"RSA","n":"aHR0cHM6Ly8"}]}'
    const before = cluster.store.read(FENCE)?.spec
    const error = await refusal(give(cluster, external('team')))
    expect(error.message).toMatch(/istiod got no keys from https:\/\/token\.actions.*; the grant was taken back$/)
    expect(error.suggestions[0]).toBe(`hand the public keys of ${GITHUB} over: --jwks FILE`)
    expect([await held(cluster), leftovers(cluster)]).toEqual([[], []])
    expect(cluster.store.read(FENCE)?.spec).toEqual(before)
  })

  test('and a revoke wait for no other issuer’s keys', async () => {
    const cluster = await granted(external('team'))
    cluster.mesh.keys = '{"keys":[]}'
    const keys = { jwks: '{"keys":[{"kty":"EC"}]}' }
    expect((await give(cluster, external('team', { issuer: GITLAB }), keys)).provenIn).toBe(1)
    expect((await take(cluster, { issuer: GITLAB })).provenIn).toBe(1)
  })

  test('that is held and cannot be proven with other keys keeps those it had', async () => {
    const cluster = await granted()
    const keys = { jwks: cluster.mesh.keys }
    await give(cluster, external('team'), keys)
    cluster.mesh.keys = '{"keys":[]}'
    const error = await refusal(give(cluster, external('team'), { jwksUri: 'https://else/keys' }))
    expect(error.message).toMatch(/istiod got no keys from https:\/\/else\/keys$/)
    expect(await held(cluster)).toEqual([externalKey(external('team'))])
    expect((await readIssuers(cluster.kube, at)).get(GITHUB)).toEqual(keys)
  })

  test('warns of keys that change for others too, of plain HTTP, and of who may write there as well', async () => {
    const cluster = await granted(external('other', { subject: 'two' }))
    cluster.store.put(namespace('ci'))
    await grantNow(cluster, 'ci team')
    const { warnings } = await give(cluster, external('team/app'), { jwksUri: 'http://keys.corp/jwks' })
    expect(warnings).toEqual([
      `${GITHUB} has other keys now, for all 1 of its grants`,
      expect.stringMatching(/^the keys come over plain HTTP: whoever is between istiod and http:\/\/keys\.corp\/jwks/),
      'namespace ci may write team and all below it as well',
    ])
  })
})

describe('a revoke', () => {
  test('shuts out first, leaves the others and is proven', async () => {
    const cluster = await granted(external('team'), external('other'))
    expect(await take(cluster, { repository: 'team' })).toEqual({
      revoked: [external('team')],
      provenIn: 1,
      replaced: [],
    })
    expect(cluster.kube.writes.slice(0, 2)).toEqual([
      expect.stringMatching(/^remove AuthorizationPolicy kube-registry\/external-team-/),
      'apply AuthorizationPolicy kube-registry/fence',
    ])
    expect(await held(cluster)).toEqual([externalKey(external('other'))])
  })

  test('of the last leaves nothing', async () => {
    const cluster = await granted()
    const before = cluster.store.read(FENCE)?.spec
    for (const one of [external('team'), external('other'), external('x', { issuer: GITLAB })]) await give(cluster, one)
    expect((await take(cluster)).revoked).toHaveLength(3)
    expect([await held(cluster), leftovers(cluster)]).toEqual([[], []])
    expect(cluster.store.read(FENCE)?.spec).toEqual(before)
  })

  test('of nothing changes nothing', async () => {
    const cluster = await granted(external('team'))
    expect((await take(cluster, { subject: 'two' })).revoked).toEqual([])
    expect(cluster.kube.writes).toEqual([])
  })

  test('that fits several names them, each with its own command', async () => {
    const all = [external('team'), external('team', { issuer: GITLAB }), external('team', { exact: true })]
    const cluster = await granted(...all)
    const error = await refusal(take(cluster, { repository: 'team' }))
    expect([error.code, [...error.suggestions].sort()]).toEqual(['AMBIGUOUS', all.map(revokeExternalCommand).sort()])
    expect((await take(cluster, { repository: 'team', issuer: GITHUB, exact: true })).revoked).toEqual([all[2]])
  })

  test('that the proxy does not follow is an error, and stays revoked', async () => {
    const cluster = await granted(external('team'))
    cluster.mesh.freeze()
    const error = await refusal(take(cluster))
    expect([error.code, error.message]).toEqual(['NOT_PROVEN', expect.stringContaining('push refused, but PUT')])
    expect(await held(cluster)).toEqual([])
  })
})

test('of many at once none is lost, and the fence knows all of them', async () => {
  for (let seed = 1; seed <= 10; seed++) {
    const cluster = await granted(external('old'))
    const order = new Interleaving(seed)
    cluster.kube.turn = order.turn
    await order.run([
      () => give(cluster, external('one')),
      () => give(cluster, external('two', { issuer: GITLAB })),
      () => give(cluster, external('three', { audience: 'else' })),
      () => take(cluster, { repository: 'old' }),
    ])
    cluster.kube.turn = () => {}
    const before = [cluster.store.read(FENCE)?.spec, leftovers(cluster)]
    expect(await held(cluster)).toHaveLength(3)
    await settleExternal(cluster.kube, at, [GITHUB, GITLAB], { opening: true })
    expect([cluster.store.read(FENCE)?.spec, leftovers(cluster)]).toEqual(before)
  }
})

describe('a private tenant', () => {
  test('is nobody’s from outside, and names who was there before', async () => {
    const cluster = await granted(external('team/app'), external('other'))
    for (const name of ['team', 'shop'])
      cluster.store.put({ ...namespace(name), metadata: { name, uid: `uid-${name}` } })
    const used = await refusal(add(cluster, 'team'))
    expect([used.code, used.details]).toMatchObject([
      'TENANT_USED',
      {
        uses: [
          {
            kind: 'external grant',
            why: expect.stringContaining('may push team/app'),
            fix: expect.stringContaining('team/app'),
          },
        ],
      },
    ])
    await add(cluster, 'shop')
    const refused = await refusal(give(cluster, external('shop/app')))
    expect([refused.code, refused.message]).toEqual([
      'TENANT_REPOSITORY',
      'repository "shop/app" is private to tenant shop, and not for those outside',
    ])
  })
})

describe('an installation', () => {
  test('keeps the grants over up, and puts right what an interrupted revoke left', async () => {
    const cluster = await granted(external('team'), external('x', { issuer: GITLAB }))
    const fence = cluster.store.read(FENCE)?.spec
    await up(cluster)
    expect(await held(cluster)).toHaveLength(2)
    expect(cluster.store.read(FENCE)?.spec).toEqual(fence)
    for (const { metadata } of cluster.store
      .list(FENCE)
      .filter(({ metadata: { name } }) => name.startsWith('external-x')))
      cluster.store.remove({ ...FENCE, name: metadata.name })
    await up(cluster)
    expect(leftovers(cluster)).toHaveLength(3)
  })

  test('takes all of it along', async () => {
    const cluster = await granted(external('team'))
    await uninstall(cluster.ports, 'kube-registry', { deleteData: true, timeoutMs: 60_000 })
    expect([await held(cluster), leftovers(cluster)]).toEqual([[], []])
  })

  test('tells of grants without a way in, and of keys that are not there', async () => {
    const cluster = await granted(external('team'))
    const problems = async () => (await status(cluster.ports, 'kube-registry')).problems.map(({ what }) => what)
    expect((await status(cluster.ports, 'kube-registry')).external).toEqual([external('team')])
    cluster.mesh.keys = '{"keys":[]}'
    expect(await problems()).toContainEqual(expect.stringContaining('istiod got no keys'))
    for (const { metadata } of cluster.store.list(FENCE).filter(({ metadata: { name } }) => name.startsWith('expose-')))
      cluster.store.remove({ ...FENCE, name: metadata.name })
    await settlePolicies(cluster.kube, at)
    expect(await problems()).toContainEqual(expect.stringContaining('may push from outside, but there is no host'))
  })
})
