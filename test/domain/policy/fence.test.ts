import { describe, expect, test } from 'vitest'
import type { KubeObject } from '../../../src/domain/kube-object.ts'
import type { Spec } from '../../../src/domain/policy/authorization-policy.ts'
import { fence, namespaceFence, outlived, readNodes } from '../../../src/domain/policy/fence.ts'
import { namespaceName, principalOf, serviceAccountName, spiffeId } from '../../../src/domain/policy/identity.ts'
import { at, grantFrom } from '../at.ts'
import { developerSets, grantSets } from './grant-sets.ts'
import { policiesOf } from './policies.ts'

const NODE = 'cluster.local/ns/kube-registry-node/sa/registry-node'
const grants = ['web team', 'ci/pusher a', 'ci b read', 'ci/pusher c exact', 'web team/app read'].map(grantFrom)
const rulesOf = (policy: KubeObject) => (policy.spec as Spec).rules

describe('the fence', () => {
  test('knows the nodes first, and every grantee once and sorted', () => {
    expect(rulesOf(fence(at, { grants }))[0]?.from).toEqual([
      {
        source: {
          notPrincipals: [
            NODE,
            'cluster.local/ns/ci/sa/*',
            'cluster.local/ns/ci/sa/pusher',
            'cluster.local/ns/web/sa/*',
          ],
        },
      },
    ])
  })

  test('does not depend on the order of the grants', () => {
    expect(fence(at, { grants: grants.toReversed() })).toEqual(fence(at, { grants }))
    expect(namespaceFence(at, 'ci', grants.toReversed())).toEqual(namespaceFence(at, 'ci', grants))
  })

  test.each([...grantSets, ...developerSets])('has a port in every rule: $name', ({ grants: some }) => {
    const operations = policiesOf(some).flatMap((policy) => rulesOf(policy).flatMap(({ to }) => to))
    const known = /^(5000|5443|5000,5443)$/
    expect(operations.filter(({ operation }) => !known.test(operation.ports.join()))).toEqual([])
  })

  test('names a developer at the port of the others alone, and nobody else there', () => {
    const people = [...grants, grantFrom('ci/dev team user:ada'), grantFrom('web/dev b read group:b')]
    const developers = ['cluster.local/ns/ci/sa/dev', 'cluster.local/ns/web/sa/dev']
    const [strangers, theirs, inside] = rulesOf(fence(at, { grants: people }))
    expect(strangers?.from?.[0]?.source.notPrincipals).not.toContain(developers[0])
    expect(theirs).toEqual({
      from: [{ source: { notPrincipals: developers } }],
      to: [{ operation: { ports: ['5443'] } }],
    })
    expect(inside).toEqual({ from: [{ source: { principals: developers } }], to: [{ operation: { ports: ['5000'] } }] })
  })

  test("closes the developers' port while there is no developer, and before it exists", () => {
    expect(rulesOf(fence(at, { grants }))[1]).toEqual({ to: [{ operation: { ports: ['5443'] } }] })
  })

  test('follows the port', () => {
    const text = JSON.stringify([fence({ ...at, port: 5001 }, { grants }), readNodes({ ...at, port: 5001 })])
    expect(text).not.toContain('5000')
    expect(JSON.stringify(fence({ ...at, port: 5443 }, { grants: [] }))).toContain('"ports":["5443","5444"]')
    expect(text).toContain('[::1]:5001')
  })
})

describe('the fence of a namespace', () => {
  const operationOf = (name: string) => rulesOf(namespaceFence(at, name, grants))[0]?.to[0]?.operation

  test('denies writes outside all its own grants, whichever account has them', () => {
    expect(operationOf('ci')).toEqual({
      ports: ['5000'],
      notMethods: ['GET', 'HEAD'],
      notPaths: ['/v2/a/*', '/v2/c/blobs/uploads/', '/v2/c/blobs/uploads/{*}', '/v2/c/manifests/{*}'],
    })
  })

  test('denies every write where nothing but reading is granted', () => {
    expect(rulesOf(namespaceFence(at, 'x', [grantFrom('x team read')]))[0]?.to).toEqual([
      { operation: { ports: ['5000'], notMethods: ['GET', 'HEAD'] } },
    ])
  })

  test('denies developers the writes outside theirs, at their port', () => {
    const some = ['ci a', 'ci/dev team user:ada', 'ci/dev b read user:ada', 'ci/bob team/app exact user:bob']
    const [inside, theirs, ...more] = rulesOf(namespaceFence(at, 'ci', some.map(grantFrom)))
    expect([inside?.to, more]).toEqual([
      [{ operation: { ports: ['5000'], notMethods: ['GET', 'HEAD'], notPaths: ['/v2/a/*'] } }],
      [],
    ])
    expect(theirs?.to[0]?.operation).toMatchObject({ ports: ['5443'], notMethods: ['GET', 'HEAD'] })
    expect(theirs?.to[0]?.operation.notPaths).toContain('/v2/team/*')
    expect(theirs?.to[0]?.operation.notPaths).not.toContain('/v2/a/*')
  })

  test('goes with its namespace', () => {
    const owner = { apiVersion: 'v1', kind: 'Namespace', name: 'ci', uid: 'u' }
    expect(namespaceFence(at, 'ci', grants, owner).metadata).toMatchObject({
      name: 'writes-ci',
      ownerReferences: [owner],
      labels: { 'regctl.dev/grant': 'ci' },
    })
  })
})

test('identities', () => {
  expect(principalOf({ namespace: 'ci' })).toBe('cluster.local/ns/ci/sa/*')
  expect(principalOf({ namespace: 'ci', serviceAccount: 'pusher' })).toBe('cluster.local/ns/ci/sa/pusher')
  expect(spiffeId('mesh.example', 'ci', 'pusher')).toBe('spiffe://mesh.example/ns/ci/sa/pusher')
})

test.each(['CI', 'a.b', '-a', 'a-', '', 'a_b', 'a*', 'a/b', 'x'.repeat(64)])('%j is no namespace', (text) => {
  expect(() => namespaceName(text)).toThrow(expect.objectContaining({ code: 'INVALID_NAMESPACE', oclif: { exit: 2 } }))
})

test.each(['Pusher', 'a..b', 'a*', '*', '', 'a/b', 'x'.repeat(254)])('%j is no service account', (text) => {
  expect(() => serviceAccountName(text)).toThrow(
    expect.objectContaining({ code: 'INVALID_SERVICE_ACCOUNT', oclif: { exit: 2 } }),
  )
})

test('names that Kubernetes takes', () => {
  expect(['a', 'a-b', '0', 'x'.repeat(63)].map(namespaceName)).toHaveLength(4)
  expect(['default', 'a.b-c', 'x'.repeat(63)].map(serviceAccountName)).toHaveLength(3)
})

test('a fence that outlived grants names them; one that waits for a new grant names nobody', () => {
  const [kept, gone] = [grantFrom('ci team'), grantFrom('builders/pusher app')]
  expect(outlived(at, fence(at, { grants: [kept, gone] }), [kept, gone])).toEqual([])
  expect(outlived(at, fence(at, { grants: [kept, gone] }), [kept])).toEqual(['cluster.local/ns/builders/sa/pusher'])
  expect(outlived(at, fence(at, { grants: [kept] }), [kept, gone])).toEqual([])
})
