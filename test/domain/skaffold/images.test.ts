import { describe, expect, test } from 'vitest'
import { hasPort, imageName, onlyLooksLike, pushedName } from '../../../src/domain/skaffold/images.ts'
import { VERSIONS } from '../../../src/domain/skaffold/versions.ts'

describe('names as Skaffold 2.16.1 makes them (its own function, run)', () => {
  test.each([
    ['app', 'localhost:5000/app', 'localhost:5000/app'],
    ['team/app', 'localhost:5000/team_app', 'localhost:5000/team/app'],
    ['gcr.io/proj-123456/app:v1', 'localhost:5000/gcr_io_proj-123456_app', 'localhost:5000/gcr.io/proj-123456/app'],
    [
      'registry.corp:5000/x/app:v1',
      'localhost:5000/registry_corp_5000_x_app',
      'localhost:5000/registry.corp:5000/x/app',
    ],
    ['localhost:5000/team/app', 'localhost:5000/team/app', 'localhost:5000/team/app'],
    ['localhost:50001/app', 'localhost:50001/app', 'localhost:50001/app'],
    ['127.0.0.1:5000/app', 'localhost:5000/127_0_0_1_5000_app', 'localhost:5000/127.0.0.1:5000/app'],
  ])('%s', (image, flat, levels) => {
    expect([pushedName(image, 'localhost:5000', false), pushedName(image, 'localhost:5000', true)]).toEqual([
      flat,
      levels,
    ])
  })

  test('below a repository', () => {
    const repo = 'localhost:5000/example'
    expect(pushedName('web', repo, true)).toBe('localhost:5000/example/web')
    expect(pushedName('localhost:5000/app', repo, false)).toBe('localhost:5000/example/localhost_5000_app')
    expect(pushedName('localhost:5000/example2/app', repo, true)).toBe('localhost:5000/example2/app')
    // Both look like projects of Google's registry to Skaffold, so it takes one for the other.
    expect(pushedName('localhost:5000/example/app', `${repo}/sub`, true)).toBe('localhost:5000/example/sub/app')
    expect(pushedName('a'.repeat(300), repo, true)).toHaveLength(255)
  })
})

test.each([
  ['a:1', { base: 'a', tag: '1' }],
  ['h:5000/a', { base: 'h:5000/a' }],
  ['h:5000/a:1@sha256:x', { base: 'h:5000/a', tag: '1', digest: 'sha256:x' }],
])('%s', (image, parts) => {
  expect(imageName(image)).toEqual(parts)
})

test('what only looks like the default repository', () => {
  expect(onlyLooksLike('localhost:50001/app', 'localhost:5000')).toBe(true)
  expect(onlyLooksLike('localhost:5000/example2', 'localhost:5000/example')).toBe(true)
  expect(onlyLooksLike('localhost:5000/example/app', 'localhost:5000/example')).toBe(false)
  expect(onlyLooksLike('localhost:5000/example', 'localhost:5000/example')).toBe(false)
  expect([hasPort('h:1/a'), hasPort('a:1'), hasPort('h/a:1')]).toEqual([true, false, false])
})

test('every apiVersion once', () => {
  expect(new Set(VERSIONS).size).toBe(VERSIONS.length)
  expect(VERSIONS).toHaveLength(71)
})
