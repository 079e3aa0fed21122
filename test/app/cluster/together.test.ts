import { setImmediate } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { together } from '../../../src/app/cluster/together.ts'

const numbers = Array.from({ length: 20 }, (_, index) => index)

test('some at a time, and what came of each in their order', async () => {
  let [running, most] = [0, 0]
  const results = await together(numbers, async (one) => {
    most = Math.max(most, ++running)
    for (let turn = 20 - one; turn > 0; turn--) await setImmediate()
    running--
    return one * 2
  })
  expect(results).toEqual(numbers.map((one) => one * 2))
  expect(most).toBeGreaterThan(1)
  expect(most).toBeLessThan(20)
})

test('when it throws nothing is under way any more, and nothing else is begun', async () => {
  const begun: number[] = []
  const done: number[] = []
  const work = async (one: number) => {
    begun.push(one)
    if (one === 1) throw new Error('one')
    await setImmediate()
    done.push(one)
  }
  await expect(together(numbers, work)).rejects.toThrow('one')
  expect(begun.length).toBeLessThan(20)
  expect([...done, 1].sort((a, b) => a - b)).toEqual(begun)
})
