import { Writable } from 'node:stream'
import { expect, test } from 'vitest'
import { table } from '../../src/ui/table.ts'
import { reporter } from '../../src/ui/tasks.ts'

function recorder(isTTY: boolean) {
  const written: string[] = []
  const stream = new Writable({
    write(chunk, _encoding, done) {
      written.push(String(chunk))
      done()
    },
  })
  return { stream: Object.assign(stream, { isTTY, columns: 100, rows: 30 }) as never, text: () => written.join('') }
}

test('without a terminal a step is a line when it starts, one per new note and one at its end', async () => {
  const { stream, text } = recorder(false)
  const report = reporter({ quiet: false, stream })
  const value = await report.step('Wait for the registry', async (note) => {
    for (const said of ['0 of 1', '0 of 1', '1 of 1']) note(said)
    return 7
  })
  report.warn('careful')
  await expect(report.step('Fail', () => Promise.reject(new Error('x')))).rejects.toThrow('x')
  expect(value).toBe(7)
  expect(text()).toBe(
    '› Wait for the registry\n    0 of 1\n    1 of 1\n✔ Wait for the registry\nWarning: careful\n› Fail\n✖ Fail\n',
  )
})

test('quiet leaves the warnings', async () => {
  const { stream, text } = recorder(false)
  const report = reporter({ quiet: true, stream })
  expect(await report.step('Wait', async () => 1)).toBe(1)
  report.info('remark')
  report.warn('careful')
  expect(text()).toBe('Warning: careful\n')
})

test('on a terminal remarks wait for the end of the step; steps may nest and fail', async () => {
  const { stream, text } = recorder(true)
  const report = reporter({ quiet: false, stream })
  const value = await report.step('Outer', async (note) => {
    note('working')
    report.info('a remark')
    return report.step('Inner', async () => 'done')
  })
  expect(value).toBe('done')
  expect(text()).toMatch(/Outer[\s\S]*a remark\n$/)
  const failure = new Error('nope')
  await expect(report.step('Fail', () => Promise.reject(failure))).rejects.toBe(failure)
})

test('columns are as wide as their widest cell, colours aside', () => {
  expect(
    table(
      ['A', 'B'],
      [
        ['\u001B[31mlong\u001B[39m', 'x'],
        ['y', ''],
      ],
    ),
  ).toBe('A      B\n\u001B[31mlong\u001B[39m   x\ny')
})
