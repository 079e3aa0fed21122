import { expect, test } from 'vitest'
import { milliseconds } from '../../src/domain/duration.ts'

test.each([
  ['90s', 90_000],
  ['5m', 300_000],
  ['1h', 3_600_000],
  ['250ms', 250],
  ['30', 30_000],
  ['1.5m', 90_000],
  ['0', 0],
])('%s', (text, expected) => expect(milliseconds(text)).toBe(expected))

test.each(['', 's', '5 m', '-1s', '1d', '5min', '1m30s', '.5s', 'five'])('%j is refused', (text) => {
  expect(() => milliseconds(text)).toThrow(
    expect.objectContaining({
      message: `duration "${text}" is not one such as 90s or 5m`,
      code: 'INVALID_DURATION',
      oclif: { exit: 2 },
    }),
  )
})
