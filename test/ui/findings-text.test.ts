import { expect, test } from 'vitest'
import type { Finding } from '../../src/app/inspect/doctor.ts'
import { findingsText } from '../../src/ui/findings-text.ts'
import { plain } from './plain.ts'

test('findings have a mark for their level, and a fix where there is one', () => {
  const findings: Finding[] = [
    { level: 'ok', what: 'fine' },
    { level: 'note', what: 'mind this' },
    { level: 'problem', what: 'broken', fix: 'regctl up' },
  ]
  expect(plain(findingsText(findings))).toBe('✔ fine\n• mind this\n✖ broken\n  fix: regctl up')
  expect(findingsText([])).toBe('')
})
