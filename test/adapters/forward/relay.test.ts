import { once } from 'node:events'
import net, { type AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import { openRelay } from '../../../src/adapters/forward/relay.ts'

test('a relay leads on, closes what cannot be led on, and ends its connections', async () => {
  const behind = net.createServer((socket) => socket.pipe(socket)).listen(0, '127.0.0.1')
  await once(behind, 'listening')
  let open = true
  const relay = await openRelay(async () => {
    if (!open) throw new Error('away')
    return net.connect((behind.address() as AddressInfo).port, '127.0.0.1')
  })
  const first = net.connect(relay.port, relay.host)
  first.on('error', () => {})
  first.write('hello')
  expect(String((await once(first, 'data'))[0])).toBe('hello')
  open = false
  const second = net.connect(relay.port, relay.host)
  await once(second, 'close')
  await relay.close()
  if (!first.destroyed) await once(first, 'close')
  behind.close()
  await once(behind, 'close')
})
