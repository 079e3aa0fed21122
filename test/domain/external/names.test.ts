import { describe, expect, test } from 'vitest'
import { audienceName, issuerName, subjectName } from '../../../src/domain/external/names.ts'

describe('a subject', () => {
  test.each([
    'repo:acme/app:ref:refs/heads/main',
    'repo:acme/app:environment:production',
    'repo:acme/app:pull_request',
    'system:serviceaccount:ci:pusher',
    'a b',
    'ключ',
  ])('%s is taken as it is', (text) => expect(subjectName(text)).toBe(text))

  test.each<[string, RegExp]>([
    ['', /is empty/],
    ['*', /has a star/],
    ['repo:acme/*', /has a star/],
    ['*:ref:refs/heads/main', /has a star/],
    ['repo:acme/app\n', /no token has/],
    [' repo', /no token has/],
    ['re\u200Bpo', /no token has/],
    ['a'.repeat(1001), /longer than 1000/],
  ])('%j is refused', (text, why) => expect(() => subjectName(text)).toThrow(why))
})

test('an audience is compared as it is, too', () => {
  expect(audienceName('https://github.com/acme')).toBe('https://github.com/acme')
  expect(() => audienceName('*')).toThrow(/audience "\*" has a star/)
})

describe('an issuer', () => {
  test.each([
    'https://token.actions.githubusercontent.com',
    'https://gitlab.example.org/',
    'http://issuer.ci.svc.cluster.local:8080/realms/a',
  ])('%s is an address', (text) => expect(issuerName(text)).toBe(text))

  test.each([
    'accounts.google.com',
    'https://',
    'https:///x',
    'ftp://issuer',
    'https://user:password@issuer',
    'https://issuer/?a=b',
    'https://issuer/#a',
    'https://*.example.org',
  ])('%s is refused', (text) => expect(() => issuerName(text)).toThrow(/issuer/))
})
