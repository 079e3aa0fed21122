import { expect, test } from 'vitest'
import { documents } from '../../src/ui/documents.ts'

test('objects become YAML documents, long lines whole', () => {
  const metadata = { name: 'x' }
  const long = 'word '.repeat(40).trim()
  expect(
    documents([
      { apiVersion: 'v1', kind: 'A', metadata, text: long },
      { apiVersion: 'v1', kind: 'B', metadata },
    ]),
  ).toBe(
    `apiVersion: v1\nkind: A\nmetadata:\n  name: x\ntext: ${long}\n---\napiVersion: v1\nkind: B\nmetadata:\n  name: x`,
  )
})
