import { describe, expect, test } from 'vitest'
import { conflictError, usageError } from '../../src/errors.ts'
import { bugText, errorText } from '../../src/ui/error-text.ts'
import { plain } from './plain.ts'

describe('an error', () => {
  test('says what, the code and the one way out', () => {
    const error = usageError('INVALID_PORT', 'port 80 is too low', { suggestions: ['regctl up --port 5000'] })
    expect(plain(errorText(error))).toBe('Error: port 80 is too low\nCode: INVALID_PORT\nTry: regctl up --port 5000')
  })

  test('lists several ways, each on a line to paste', () => {
    const long = `regctl ${'x'.repeat(200)}`
    const error = conflictError('NOT_OURS', 'it is theirs', { suggestions: ['regctl down', long] })
    expect(plain(errorText(error))).toBe(`Error: it is theirs\nCode: NOT_OURS\nTry:\n  regctl down\n  ${long}`)
  })

  test('without a way out has none', () => {
    expect(plain(errorText(usageError('X', 'no')))).toBe('Error: no\nCode: X')
  })

  test('that is a bug has the stack and all a report needs', () => {
    const bug = new TypeError('boom')
    const text = plain(bugText(bug, { version: '1.2.3', argv: ['grant', 'ci', 'team'] }))
    expect(text).toMatch(/^Error: TypeError: boom\n\s+at .*error-text\.test\.ts/)
    expect(text).toContain(`regctl 1.2.3, Node ${process.versions.node}, ${process.platform} ${process.arch}`)
    expect(text.endsWith('\n  regctl grant ci team')).toBe(true)
    const { stack: _, ...bare } = Object.assign(new Error('bare'), { stack: undefined })
    expect(plain(bugText({ ...bare, name: 'Error', message: 'bare' }, { version: '1', argv: [] }))).toMatch(
      /^Error: bare\n/,
    )
  })
})
