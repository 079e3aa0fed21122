import { expect, test } from 'vitest'
import { systemClock } from '../../src/adapters/clock.ts'
import { FakeClock } from '../fakes/fake-clock.ts'

const reason = new Error('stopped')

test.each([
  ['the system’s', systemClock],
  ['the fake', new FakeClock()],
])('%s clock: time passes while one sleeps', async (_, clock) => {
  const before = clock.now()
  await clock.sleep(20)
  expect(clock.now() - before).toBeGreaterThanOrEqual(19)
})

test.each([
  ['the system’s', systemClock],
  ['the fake', new FakeClock()],
])('%s clock: an abort ends a sleep with its reason, before it and in it', async (_, clock) => {
  await expect(clock.sleep(60_000, AbortSignal.abort(reason))).rejects.toBe(reason)
  const stop = new AbortController()
  const end = () => stop.abort(reason)
  if (clock instanceof FakeClock) clock.after(10, end)
  else setTimeout(end, 10)
  await expect(clock.sleep(60_000, stop.signal)).rejects.toBe(reason)
})

test('the fake runs what was planned at its moment, in order', async () => {
  const clock = new FakeClock()
  const start = clock.now()
  const seen: string[] = []
  clock.after(200, () => seen.push(`second ${clock.now() - start}`))
  clock.after(100, () => seen.push(`first ${clock.now() - start}`))
  clock.after(900, () => seen.push('never'))
  await clock.sleep(500)
  expect([seen, clock.now() - start]).toEqual([['first 100', 'second 200'], 500])
})
