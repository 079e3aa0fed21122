import { describe, expect, test } from 'vitest'
import { isWithin, repositoryName } from '../../src/domain/repository.ts'

describe('repositoryName takes', () => {
  test.each([
    'example',
    'team/app',
    'a/b/c/d/e',
    'a1',
    '0',
    'a.b',
    'a_b',
    'a__b',
    'a-b',
    'a---b',
    'my-blobs',
    'manifest',
    'uploads2',
    'a'.repeat(200),
  ])('%s', (name) => expect(repositoryName(name)).toBe(name))
})

describe('repositoryName refuses, and says why', () => {
  test.each<[string, string, string?]>([
    ['', 'it is empty'],
    ['a'.repeat(201), 'it has 201 characters, at most 200 fit into a policy'],
    ['Example', 'upper case is not allowed', 'name it example'],
    ['team/APP', 'upper case is not allowed', 'name it team/app'],
    ['localhost:5000/example', 'leave the registry out', 'name it example'],
    ['localhost/example', 'leave the registry out', 'name it example'],
    ['127.0.0.1:5000/a/b', 'leave the registry out', 'name it a/b'],
    ['[::1]:5000/example', 'leave the registry out', 'name it example'],
    ['example:latest', 'a grant names a repository, without tag or digest'],
    ['example@sha256:ab', 'a grant names a repository, without tag or digest'],
    ['registry.example:5000/app', 'a grant names a repository, without tag or digest'],
    ['/example', 'it has an empty path component'],
    ['example/', 'it has an empty path component'],
    ['a//b', 'it has an empty path component'],
    ...['blobs', 'manifests', 'tags', 'uploads', 'referrers', '_catalog'].flatMap((word): [string, string][] => [
      [word, `"${word}" is reserved for the registry's own paths`],
      [`team/${word}/app`, `"${word}" is reserved for the registry's own paths`],
    ]),
    ...[
      '..',
      '.',
      'a..b',
      '-a',
      'a-',
      '.a',
      'a.',
      '_a',
      'a___b',
      'a._b',
      'ä',
      'a b',
      'a%2fb',
      'a*',
      '{*}',
      'a?b',
      'a\nb',
    ].map((part): [string, string] => [
      `team/${part}`,
      `path component "${part}" must be a-z and 0-9, joined by one of . _ __ or -`,
    ]),
  ])('%j', (name, why, suggestion) => {
    expect(() => repositoryName(name)).toThrow(
      expect.objectContaining({
        message: `repository "${name}" is not a valid name: ${why}`,
        code: 'INVALID_REPOSITORY',
        oclif: { exit: 2 },
        suggestions: suggestion === undefined ? [] : [suggestion],
      }),
    )
  })
})

test.each([
  ['example', 'example', true],
  ['example/app', 'example', true],
  ['example/a/b', 'example', true],
  ['example2', 'example', false],
  ['example2/app', 'example', false],
  ['example', 'example/app', false],
  ['a/example', 'example', false],
])('is %s within %s: %s', (inner, outer, expected) => expect(isWithin(inner, outer)).toBe(expected))
