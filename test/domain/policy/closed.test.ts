import { describe, expect, test } from 'vitest'
import type { Rule, Spec } from '../../../src/domain/policy/authorization-policy.ts'
import { closedTenants } from '../../../src/domain/policy/closed.ts'
import { followingPolicies } from '../../../src/domain/policy/policies.ts'
import { NO_TENANTS, type Tenants } from '../../../src/domain/tenant/tenants.ts'
import { at, grantFrom } from '../at.ts'
import { given } from './policies.ts'

const tenantsOf = (names: readonly string[], shares: Tenants['shares'] = []): Tenants => ({
  ...NO_TENANTS,
  shares,
  tenants: names.map((namespace) => ({ namespace, uid: `uid-${namespace}`, private: true })),
})

const share = (repository: string, namespace: string) => [{ repository, namespace, uid: 'u' }]

describe('closed', () => {
  test.each<[string, Tenants, readonly string[], readonly string[]]>([
    ['has its own, all of it', tenantsOf(['a', 'b']), ['a a', 'b b', 'ci team'], ['a', 'b']],
    ['may be granted more of its own', tenantsOf(['a']), ['a a', 'a a/app read', 'a/x a/app exact'], ['a']],
    ['is no public one', { ...tenantsOf([]), tenants: [{ namespace: 'a', uid: 'u', private: false }] }, ['a a'], []],
    ['has a grant', tenantsOf(['a']), [], []],
    ['has one of all accounts', tenantsOf(['a']), ['a/pusher a'], []],
    ['has one of all below its name', tenantsOf(['a']), ['a a exact', 'a a/app'], []],
    ['may write', tenantsOf(['a']), ['a a read'], []],
    ['has nothing of others', tenantsOf(['a']), ['a a', 'a team read'], []],
    ['has no guest by a grant', tenantsOf(['a']), ['a a', 'ci a/base read'], []],
    ['has no guest by a share', tenantsOf(['a', 'b'], share('a/base', 'ci')), ['a a', 'b b'], ['b']],
    ['is no guest', tenantsOf(['a', 'b', 'c'], share('a/base', 'b')), ['a a', 'b b', 'c c'], ['c']],
    ['has no developer', tenantsOf(['a']), ['a a', 'a/dev a user:ada'], []],
    ['is not one whose name only starts so', tenantsOf(['a']), ['a a', 'ab ab'], ['a']],
  ])('%s', (_, tenants, grants, expected) => {
    expect(closedTenants(tenants, grants.map(grantFrom))).toEqual(expected)
  })
})

test('a rule of a closed tenant asks for a path before it asks for a name; names stand in few rules', () => {
  const names = Array.from({ length: 200 }, (_, index) => `t${String(index).padStart(3, '0')}`)
  const grants = names.map((name) => grantFrom(`${name} ${name}`))
  const policies = followingPolicies(at, given(grants), tenantsOf(names))
  const rules = (action: string): readonly Rule[] =>
    policies.map(({ spec }) => spec as Spec).flatMap((spec) => (spec.action === action ? spec.rules : []))
  // What each rule of a DENY leaves out by its operations costs no look at the caller.
  const open = rules('DENY').filter(({ to }) => to.some(({ operation }) => !operation.paths && !operation.notPaths))
  expect(open.length).toBeLessThan(6)
  expect(rules('DENY').length).toBe(names.length + 5)
  expect(policies.filter(({ metadata }) => metadata.name.startsWith('writes-'))).toEqual([])
})
