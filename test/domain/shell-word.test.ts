import { execFileSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { shellWord } from '../../src/domain/shell-word.ts'

test.each([
  'user:ada@example.org',
  'oidc:team/a',
  'Ada Lovelace',
  "O'Neill",
  '$(id)',
  '`id` "x" \\',
  'a\tb',
  '-n',
  'é*',
])('%s is one word for a shell', (text) => {
  expect(execFileSync('sh', ['-c', `printf '[%s]' ${shellWord(text)}`], { encoding: 'utf8' })).toBe(`[${text}]`)
})

test('what is harmless stays bare', () => {
  expect(shellWord('user:ada@example.org')).toBe('user:ada@example.org')
})
