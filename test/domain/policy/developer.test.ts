import { describe, expect, test } from 'vitest'
import { accountName, developerName, subjectOf } from '../../../src/domain/policy/developer.ts'
import { serviceAccountName } from '../../../src/domain/policy/identity.ts'
import { failure } from '../../app/failure.ts'

describe('a developer', () => {
  test.each([
    'user:ada@example.org',
    'group:team-a',
    'user:Ada Lovelace',
    'user:oidc:ada',
    'group:a/b,c',
    "user:O'Neill",
    'user:Ångström',
    'user:systemd',
  ])('may be %s', (text) => {
    expect(developerName(text)).toBe(text)
  })

  test.each([
    '',
    'ada',
    'user:',
    'group:',
    'User:ada',
    'serviceaccount:ci/pusher',
    'user: ada',
    'user:ada ',
    'user:a\nb',
    'user:a\u202eb',
    `user:${'a'.repeat(254)}`,
    'group:system:authenticated',
    'group:system:masters',
    'group:system:serviceaccounts:ci',
    'user:system:serviceaccount:ci:pusher',
    'user:system:anonymous',
    'user:*',
    'group:*',
  ])('may not be %j', (text) => {
    expect(() => developerName(text)).toThrow(failure('INVALID_DEVELOPER', 2))
  })

  test('is what RBAC calls a subject', () => {
    expect(subjectOf('user:oidc:ada')).toEqual({ kind: 'User', name: 'oidc:ada' })
    expect(subjectOf('group:team a')).toEqual({ kind: 'Group', name: 'team a' })
  })
})

test.each([
  ['user:ada@example.org', 'developer-ada-example-org-bcdfg'],
  ['group:Team A', 'developer-team-a-bcdfg'],
  ['user:---', 'developer-bcdfg'],
  ['user:日本', 'developer-bcdfg'],
  [`user:${'a'.repeat(39)}-b`, `developer-${'a'.repeat(39)}-bcdfg`],
  [`user:${'x.'.repeat(120)}`, `developer-${'x-'.repeat(19)}x-bcdfg`],
])('the account of %s is %s', (developer, name) => {
  expect(accountName(developer, 'bcdfg')).toBe(name)
  expect(serviceAccountName(name)).toBe(name)
})
