import { describe, expect, test } from 'vitest'
import { parseIgnore } from '../../../src/domain/build/ignore.ts'
import { failure } from '../../app/failure.ts'

/** Patterns, what they ignore and what they do not, as github.com/moby/patternmatcher has it. */
const CASES: readonly (readonly [string, readonly string[], readonly string[]])[] = [
  ['node_modules', ['node_modules', 'node_modules/a/b'], ['a/node_modules', 'node_modules2']],
  ['**/node_modules', ['node_modules', 'a/node_modules', 'a/b/node_modules/c'], ['a/node_modules2']],
  ['/build/', ['build', 'build/a'], ['a/build']],
  ['*.md', ['a.md', '.md'], ['docs/a.md', 'a.mdx']],
  ['**/*.md', ['a.md', 'docs/a.md', 'docs/x/a.md'], ['a.txt']],
  ['docs/**', ['docs/a', 'docs/a/b'], ['docs', 'docs2/a']],
  ['**', ['a', 'a/b'], []],
  ['a?c', ['abc'], ['ac', 'a/c', 'abbc']],
  ['[a-c]x', ['ax', 'cx'], ['dx', 'x']],
  ['a+b(c).txt', ['a+b(c).txt'], ['aab(c).txt']],
  [String.raw`\*`, ['*'], ['a']],
  ['./a/../b', ['b'], ['a']],
  ['*.md\n!README.md', ['a.md'], ['README.md']],
  ['*\n!src\nsrc/gen', ['a', 'src/gen', 'src/gen/x'], ['src', 'src/a', 'src/a/b']],
  ['!a\na', ['a'], []],
  ['# a\n\n  b  \n', ['b'], ['# a', 'a', '']],
  ['\uFEFFa\r\nb\r\n', ['a', 'b'], ['c']],
]

describe.each(CASES)('%j', (text, ignored, kept) => {
  const { ignores } = parseIgnore(text, '.dockerignore')
  test.each(ignored)('ignores %s', (path) => {
    expect(ignores(path)).toBe(true)
  })
  if (kept.length > 0)
    test.each(kept)('keeps %s', (path) => {
      expect(ignores(path)).toBe(false)
    })
})

test('exceptions are told, so that ignored directories are looked into', () => {
  expect(parseIgnore('a', '').exceptions).toBe(false)
  expect(parseIgnore('a\n!a/b', '').exceptions).toBe(true)
})

test.each(['a\n!', 'a\n[b'])('%j is refused with its line', (text) => {
  expect(() => parseIgnore(text, '.dockerignore')).toThrow(failure('INVALID_IGNORE', 2, '.dockerignore, line 2'))
})
