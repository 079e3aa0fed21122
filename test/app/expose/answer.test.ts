import { PassThrough } from 'node:stream'
import { expect, test } from 'vitest'
import { untilAnswering } from '../../../src/app/expose/answer.ts'
import { fakeCluster } from '../../fakes/cluster.ts'

const ADDRESSES = ['10.0.0.1:31443', '10.0.0.2:31443']

test('each address is tried until it takes a connection, which is closed', async () => {
  const { ports, report } = fakeCluster()
  const opened: PassThrough[] = []
  let refused = 5
  await untilAnswering(
    {
      ...ports,
      async dial() {
        if (refused-- > 0) throw new Error('ECONNREFUSED')
        return opened[opened.push(new PassThrough()) - 1] as PassThrough
      },
    },
    ADDRESSES,
  )
  expect([opened.map(({ destroyed }) => destroyed), report.infos]).toEqual([[true, true], []])
})

test('one that this machine does not reach is told, and costs a few seconds', async () => {
  const { ports, report, clock } = fakeCluster()
  const before = clock.now()
  await untilAnswering(
    {
      ...ports,
      async dial(address) {
        if (address.startsWith('10.0.0.1:')) return new PassThrough()
        throw new Error('EHOSTUNREACH')
      },
    },
    ADDRESSES,
  )
  expect(clock.now() - before).toBeLessThanOrEqual(5000)
  expect(report.infos).toEqual(['No answer from 10.0.0.2:31443, as seen from this machine'])
})

test('an interrupt ends it', async () => {
  const { ports, abort } = fakeCluster()
  const dial = async () => {
    abort.abort(new Error('stopped'))
    throw new Error('ECONNREFUSED')
  }
  await expect(untilAnswering({ ...ports, dial }, ADDRESSES)).rejects.toThrow('stopped')
})
