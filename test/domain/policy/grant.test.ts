import { describe, expect, test } from 'vitest'
import type { KubeObject } from '../../../src/domain/kube-object.ts'
import type { Operation, Spec } from '../../../src/domain/policy/authorization-policy.ts'
import {
  grantKey,
  grantName,
  grantOf,
  grantPolicy,
  writePaths,
  writesOverlap,
} from '../../../src/domain/policy/grant.ts'
import { at, grantFrom } from '../at.ts'
import { grantSets } from './grant-sets.ts'

const operations = (policy: KubeObject): readonly Operation[] =>
  (policy.spec as Spec).rules.flatMap(({ to }) => to.map(({ operation }) => operation))
const policy = (text: string) => grantPolicy(at, grantFrom(text))
const paths = (text: string) => operations(policy(text)).flatMap((operation) => operation.paths ?? [])

const LONGEST = `ci ${'a'.repeat(200)} exact`
const GRANTS = [...new Set(grantSets.flatMap(({ name }) => name.split(', '))), LONGEST, 'ci a.b__c/d-e'].filter(
  (text) => text !== 'no grant',
)

test.each([
  ['ci team', 'ci * team subtree write'],
  ['ci/pusher team exact', 'ci pusher team exact write'],
  ['ci team/app read', 'ci * team/app subtree read'],
])('key of %s', (text, key) => expect(grantKey(grantFrom(text))).toBe(key))

describe('names', () => {
  test('are one per grant', () =>
    expect(new Set(GRANTS.map((text) => grantName(grantFrom(text)))).size).toBe(GRANTS.length))
  test.each(GRANTS)('%s fits Kubernetes', (text) => {
    expect(grantName(grantFrom(text))).toMatch(/^[a-z0-9]([-a-z0-9]{0,251}[a-z0-9])?$/)
  })
  test('start readable', () =>
    expect(grantName(grantFrom('ci team/my_app'))).toMatch(/^grant-ci-team-my-app-[0-9a-f]{10}$/))
})

describe('the policy of a grant', () => {
  test.each(GRANTS)('%s: ports everywhere, no deletion, nothing beside its repository', (text) => {
    const { repository } = grantFrom(text)
    for (const { ports, methods = [], paths: where = [] } of operations(policy(text))) {
      expect(ports).toEqual(['5000'])
      expect(methods.length).toBeGreaterThan(0)
      expect(methods).not.toContain('DELETE')
      const elsewhere = where.filter((path) => !path.startsWith(`/v2/${repository}/`))
      expect(elsewhere).toEqual(/read$/.test(text) ? ['/v2/'] : [])
    }
  })

  test.each(GRANTS)('%s: paths that Envoy takes', (text) => {
    for (const path of paths(text)) {
      expect(path.length).toBeLessThanOrEqual(256)
      // Istio reads one `*`, at the end; within a template it stands in braces.
      expect(path.replaceAll('{*}', '')).toMatch(/^[^*]+\*?$/)
    }
  })

  test('of a subtree ends in a slash, so that example is never example2', () => {
    expect(writePaths(grantFrom('ci example'))).toEqual(['/v2/example/*'])
  })

  test('of one repository has exact templates', () => {
    expect(writePaths(grantFrom('ci team/app exact'))).toEqual([
      '/v2/team/app/manifests/{*}',
      '/v2/team/app/blobs/uploads/',
      '/v2/team/app/blobs/uploads/{*}',
    ])
    expect(paths('ci team/app exact read')).toEqual([
      '/v2/',
      '/v2/team/app/manifests/{*}',
      '/v2/team/app/blobs/{*}',
      '/v2/team/app/blobs/uploads/{*}',
      '/v2/team/app/tags/list',
      '/v2/team/app/referrers/{*}',
    ])
  })

  test('to read has no writing method and no path of others', () => {
    expect(writePaths(grantFrom('ci team read'))).toEqual([])
    expect(new Set(operations(policy('ci team read')).flatMap(({ methods = [] }) => methods))).toEqual(
      new Set(['GET', 'HEAD']),
    )
    expect(paths('ci team read')).toEqual(['/v2/', '/v2/team/*'])
  })

  test.each([
    ['ci team', 'cluster.local/ns/ci/sa/*'],
    ['ci/pusher team', 'cluster.local/ns/ci/sa/pusher'],
  ])('%s is for %s', (text, principal) => {
    expect((policy(text).spec as Spec).rules.map(({ from }) => from)).toEqual([
      [{ source: { principals: [principal] } }],
    ])
  })

  test('goes with its namespace', () => {
    const owner = { apiVersion: 'v1', kind: 'Namespace', name: 'ci', uid: 'u1' }
    expect(grantPolicy(at, grantFrom('ci team'), owner).metadata).toMatchObject({
      namespace: 'kube-registry',
      ownerReferences: [owner],
      labels: { 'regctl.dev/grant': 'ci', 'regctl.dev/installation': 'kube-registry' },
    })
  })
})

describe('grantOf', () => {
  test.each(GRANTS)('reads %s back', (text) => expect(grantOf(policy(text))).toEqual(grantFrom(text)))

  test.each<[string, string | undefined]>([
    ['none', undefined],
    ['empty', ''],
    ['not JSON', '{'],
    ['null', 'null'],
    ['a string', '"ci"'],
    ['a list', '[]'],
    ['no repository', '{"namespace":"ci"}'],
    ['no namespace', '{"repository":"team"}'],
    ['wrong types', '{"namespace":1,"repository":{}}'],
  ])('takes no grant from a broken annotation: %s', (_, text) => {
    const { metadata, ...rest } = policy('ci team')
    const { annotations: _all, ...bare } = metadata
    const annotated = text === undefined ? bare : { ...bare, annotations: { 'regctl.dev/grant': text } }
    expect(grantOf({ ...rest, metadata: annotated } as KubeObject)).toBeUndefined()
  })

  test('takes what is missing as the wider scope and the name of no account', () => {
    const annotations = {
      'regctl.dev/grant': '{"namespace":"ci","repository":"team","serviceAccount":7,"exact":"yes"}',
    }
    const { metadata, ...rest } = policy('ci team')
    expect(grantOf({ ...rest, metadata: { ...metadata, annotations } } as KubeObject)).toEqual(grantFrom('ci team'))
  })
})

test.each([
  ['a team', 'b team', true],
  ['a team', 'b team/app', true],
  ['a team/app', 'b team', true],
  ['a team', 'b team2', false],
  ['a team exact', 'b team', true],
  ['a team exact', 'b team/app', false],
  ['a team/app exact', 'b team', true],
  ['a team exact', 'b team exact', true],
  ['a team exact', 'b team/app exact', false],
  ['a team read', 'b team', false],
  ['a team', 'b team read', false],
])('may %s and %s write one repository: %s', (one, other, expected) => {
  expect(writesOverlap(grantFrom(one), grantFrom(other))).toBe(expected)
})
