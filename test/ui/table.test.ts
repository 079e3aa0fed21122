import { expect, test } from 'vitest'
import { table } from '../../src/ui/table.ts'

test('a head stands alone, and rows may lack cells', () => {
  expect(table(['A', 'B'], [])).toBe('A   B')
  expect(table(['A', 'B', 'C'], [['1'], ['long', '2', '3']])).toBe('A      B   C\n1\nlong   2   3')
})

test('a wide last column makes no other line longer', () => {
  expect(table(['A', 'B'], [['1', 'x'.repeat(30)]])).toBe(`A   B\n1   ${'x'.repeat(30)}`)
})

test('no line ends with a space', () => {
  for (const line of table(
    ['A', 'B', 'C'],
    [
      ['1', '', ''],
      ['', '2', ''],
    ],
  ).split('\n'))
    expect(line).toBe(line.trimEnd())
})
