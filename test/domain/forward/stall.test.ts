import { describe, expect, test } from 'vitest'
import { hasStalled, inTheWay, watched } from '../../../src/domain/forward/stall.ts'

const held = { read: 10, written: 5, held: true }
const free = { read: 10, written: 5, held: false }

describe('a stream whose client takes nothing', () => {
  test('has stalled once no byte came for a second, and not while any come', () => {
    const first = watched(undefined, held, 0)
    expect(hasStalled(first, 999)).toBe(false)
    expect(hasStalled(watched(first, held, 1_000), 1_000)).toBe(true)
    expect(hasStalled(watched(first, { ...held, read: 11 }, 1_000), 1_000)).toBe(false)
    expect(hasStalled(watched(undefined, free, 0), 60_000)).toBe(false)
  })

  test('sending more does not make up for it', () => {
    const first = watched(undefined, held, 0)
    expect(hasStalled(watched(first, { ...held, written: 6 }, 1_000), 1_000)).toBe(true)
  })

  test('is in the way only while another waits behind it, and only after a while', () => {
    const stalled = watched(undefined, held, 0)
    const behind = watched(undefined, free, 2_000)
    const idle = watched(undefined, free, -60_000)
    expect(inTheWay(new Map([['stalled', stalled]]), 60_000)).toEqual([])
    expect(
      inTheWay(
        new Map([
          ['stalled', stalled],
          ['idle', idle],
        ]),
        60_000,
      ),
    ).toEqual([])
    expect(
      inTheWay(
        new Map([
          ['stalled', stalled],
          ['behind', behind],
        ]),
        9_999,
      ),
    ).toEqual([])
    expect(
      inTheWay(
        new Map([
          ['stalled', stalled],
          ['behind', behind],
        ]),
        10_000,
      ),
    ).toEqual(['stalled'])
  })
})
