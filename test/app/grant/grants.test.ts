import { describe, expect, test } from 'vitest'
import { grantPolicies, grantsOf, ownerOf, readGrants } from '../../../src/app/grant/grants.ts'
import { settlePolicies } from '../../../src/app/policies/settle.ts'
import type { KubeObject } from '../../../src/domain/kube-object.ts'
import { fence } from '../../../src/domain/policy/fence.ts'
import { type Grant, grantKey, grantName, grantPolicy } from '../../../src/domain/policy/grant.ts'
import { followingPolicies } from '../../../src/domain/policy/policies.ts'
import { NO_TENANTS } from '../../../src/domain/tenant/tenants.ts'
import { clusterError } from '../../../src/errors.ts'
import { at, grantFrom } from '../../domain/at.ts'
import { given } from '../../domain/policy/policies.ts'
import { namespace } from '../../fakes/cluster.ts'
import { FakeKube } from '../../fakes/fake-kube.ts'
import { failure } from '../failure.ts'
import { Interleaving } from './interleaving.ts'

const POLICY = { apiVersion: 'security.istio.io/v1', kind: 'AuthorizationPolicy', namespace: 'kube-registry' }

/** A cluster with these grants and the fences that follow them. */
function granted(...texts: readonly string[]) {
  const kube = new FakeKube()
  for (const name of ['kube-registry', 'ci', 'web']) kube.store.put(namespace(name))
  const home = (name: string) => kube.store.read({ apiVersion: 'v1', kind: 'Namespace', name }) as KubeObject
  const grants = texts.map(grantFrom)
  for (const grant of grants) kube.store.put(grantPolicy(at, grant, ownerOf(home(grant.namespace))))
  for (const policy of wantedOf(home, grants)) kube.store.put(policy)
  const add = async (text: string) => {
    const grant = grantFrom(text)
    await kube.apply(grantPolicy(at, grant, ownerOf(home(grant.namespace))), { force: true })
    await settlePolicies(kube, at)
  }
  const take = async (text: string) => {
    await kube.remove({ ...POLICY, name: grantName(grantFrom(text)) })
    await settlePolicies(kube, at)
  }
  return { kube, home, add, take }
}

const NAMES = ['ci', 'web']

const wantedOf = (home: (name: string) => KubeObject, grants: readonly Grant[]): readonly KubeObject[] =>
  followingPolicies(at, given(grants), NO_TENANTS, new Map(NAMES.map((name) => [name, ownerOf(home(name))])))

/** Somebody opened the fence. */
function spoil(kube: FakeKube): void {
  kube.store.put(fence(at, { grants: ['ci team', 'web site'].map(grantFrom) }))
}

/** The fences are exactly what the grants in the cluster ask for. */
function expectFences({ kube, home }: ReturnType<typeof granted>, grants: readonly Grant[]): void {
  const names = ['fence', ...NAMES.flatMap((name) => [`writes-${name}`, `reads-${name}`])]
  const wanted = wantedOf(home, grants)
  for (const name of names) {
    const found = kube.store.read({ ...POLICY, name })
    const meant = wanted.find((one) => one.metadata.name === name)
    expect(found?.spec, name).toEqual(meant?.spec)
    expect(found?.metadata.ownerReferences, name).toEqual(meant?.metadata.ownerReferences)
  }
}

describe('one writer', () => {
  test('makes, changes and removes the fences as the grants go', async () => {
    const cluster = granted()
    await cluster.add('ci team')
    expectFences(cluster, [grantFrom('ci team')])
    await cluster.add('ci other exact')
    expectFences(cluster, [grantFrom('ci other exact'), grantFrom('ci team')])
    await cluster.add('web site')
    await cluster.take('ci team')
    expectFences(cluster, [grantFrom('ci other exact'), grantFrom('web site')])
    await cluster.take('ci other exact')
    await cluster.take('web site')
    expectFences(cluster, [])
  })

  test('writes the namespace’s own fence before the one that lets it in', async () => {
    const cluster = granted()
    await cluster.add('ci team')
    expect(cluster.kube.writes.slice(1)).toEqual([
      'create AuthorizationPolicy kube-registry/writes-ci',
      'apply AuthorizationPolicy kube-registry/fence',
      'create AuthorizationPolicy kube-registry/reads-ci',
    ])
  })

  test('makes the fence of all where it is missing', async () => {
    const cluster = granted()
    cluster.kube.store.remove({ ...POLICY, name: 'fence' })
    await settlePolicies(cluster.kube, at)
    expectFences(cluster, [])
  })

  test('gives up where something else changes the fence all the time', async () => {
    const { kube } = granted('ci team')
    spoil(kube)
    let count = 0
    kube.turn = ({ verb, what }) => {
      if (verb !== 'apply' || what !== 'AuthorizationPolicy kube-registry/fence') return
      const found = kube.store.read({ ...POLICY, name: 'fence' }) as KubeObject
      kube.store.put({ ...found, metadata: { ...found.metadata, annotations: { count: String(++count) } } })
    }
    await expect(settlePolicies(kube, at)).rejects.toEqual(failure('POLICIES_BUSY', 5, 'were changed 50 times'))
    expect(count).toBe(50)
  })

  test('takes no other error for a conflict', async () => {
    const { kube } = granted('ci team')
    spoil(kube)
    kube.turn = ({ verb }) => {
      if (verb === 'apply') throw clusterError('FORBIDDEN', 'no')
    }
    await expect(settlePolicies(kube, at)).rejects.toEqual(failure('FORBIDDEN', 5))
  })
})

test('a fence that another revoke removed meanwhile is not made again', async () => {
  const cluster = granted('ci team', 'ci other')
  let other: Promise<void> | undefined
  cluster.kube.turn = async ({ verb, what }) => {
    if (other !== undefined || verb !== 'apply' || !what.endsWith('/writes-ci')) return
    other = cluster.take('ci other')
    await other
  }
  await cluster.take('ci team')
  expect(other).toBeDefined()
  expectFences(cluster, [])
})

test('a fence that was made anew meanwhile is not removed', async () => {
  const cluster = granted('ci team')
  const fenceUid = () => cluster.kube.store.read({ ...POLICY, name: 'writes-ci' })?.metadata.uid
  let made: string | undefined
  cluster.kube.turn = async ({ verb, what }) => {
    if (made !== undefined || verb !== 'remove' || !what.endsWith('/writes-ci')) return
    made = 'soon'
    cluster.kube.store.remove({ ...POLICY, name: 'writes-ci' })
    await cluster.add('ci other')
    made = fenceUid()
  }
  await cluster.take('ci team')
  expect(made).toMatch(/^uid-/)
  expect(fenceUid()).toBe(made)
  expectFences(cluster, [grantFrom('ci other')])
})

/** `+` grants and `-` revokes, all at once. */
const RACES: readonly (readonly [before: readonly string[], at: readonly string[]])[] = [
  [[], ['+ci team', '+web site']],
  [[], ['+ci team', '+ci other']],
  [[], ['+ci team', '+ci other', '+web site']],
  [['ci team'], ['-ci team', '+ci other']],
  [['ci team'], ['-ci team', '+ci team']],
  [
    ['ci team', 'ci other'],
    ['-ci team', '-ci other'],
  ],
  [
    ['ci team', 'web site'],
    ['-ci team', '-web site', '+ci more read'],
  ],
  [['ci team'], ['-ci team', '-ci team', '+ci other']],
]

test.each(RACES)('at once, in any order: %j then %j lose nothing', async (before, changes) => {
  for (let seed = 0; seed < 20; seed++) {
    const cluster = granted(...before)
    const order = new Interleaving(seed)
    cluster.kube.turn = order.turn
    await order.run(
      changes.map((change) => () => (change.startsWith('+') ? cluster.add : cluster.take)(change.slice(1))),
    )
    cluster.kube.turn = () => {}
    const left = await readGrants(cluster.kube, at)
    const sure = changes.filter((change) => change.startsWith('+') && !changes.includes(`-${change.slice(1)}`))
    expect(left.map(grantKey), `seed ${seed}`).toEqual(
      expect.arrayContaining(sure.map((change) => grantKey(grantFrom(change.slice(1))))),
    )
    expectFences(cluster, left)
  }
})

describe('reading', () => {
  test('goes by what is ours and in force', async () => {
    const { kube } = granted('ci team', 'web site read')
    const foreign = grantPolicy({ ...at, namespace: 'other' }, grantFrom('ci stolen'))
    kube.store.put({ ...foreign, metadata: { ...foreign.metadata, namespace: 'kube-registry' } })
    const going = grantPolicy(at, grantFrom('ci going'))
    kube.store.put({ ...going, metadata: { ...going.metadata, deletionTimestamp: 'now' } })
    const spoilt = grantPolicy(at, grantFrom('ci spoilt'))
    kube.store.put({ ...spoilt, metadata: { ...spoilt.metadata, annotations: { 'regctl.dev/grant': '{' } } })
    expect((await readGrants(kube, at)).map(grantKey)).toEqual(['ci * team subtree write', 'web * site subtree read'])
    expect((await grantPolicies(kube, at)).map(({ metadata }) => metadata.labels?.['regctl.dev/grant'])).toContain(
      'web',
    )
  })

  test('tells one namespace from another', () => {
    const grants = ['ci team', 'ci2 team', 'ci other'].map(grantFrom)
    expect(grantsOf('ci', grants)).toEqual([grants[0], grants[2]])
  })
})
