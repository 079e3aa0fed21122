import { Duplex } from 'node:stream'
import { expect, test } from 'vitest'
import { requestOver } from '../../../src/adapters/kube/http-over-stream.ts'

/** What a server says to whatever it is sent; nothing is its end. */
function answering(...parts: readonly string[]): Duplex {
  const stream = new Duplex({
    read() {},
    write(_chunk, _encoding, done) {
      for (const part of parts) stream.push(part)
      stream.push(null)
      done()
    },
  })
  return stream
}

const ask = (stream: Duplex) =>
  requestOver(stream, { method: 'GET', path: '/', host: 'localhost' }, AbortSignal.timeout(5000))

test('an answer, also one that ends with the connection', async () => {
  expect(await ask(answering('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n', 'ok'))).toMatchObject({
    status: 200,
    body: 'ok',
  })
  expect(await ask(answering('HTTP/1.1 404 Not Found\r\n\r\n', 'no', 'ne'))).toMatchObject({
    status: 404,
    body: 'none',
  })
})

test('a stream that ends without one, or is over before it is used, is an error and no waiting', async () => {
  await expect(ask(answering())).rejects.toThrow('hang up')
  const refused = answering()
  refused.on('error', () => {})
  refused.destroy(new Error('connection refused'))
  await expect(ask(refused)).rejects.toThrow('connection refused')
  await new Promise((resolve) => setImmediate(resolve))
  await expect(ask(refused)).rejects.toThrow('connection refused')
  const closed = answering()
  closed.destroy()
  await expect(ask(closed)).rejects.toThrow('closed without an answer')
  const later = answering()
  later.on('error', () => {})
  setTimeout(() => later.destroy(new Error('lost')), 20)
  later._write = (_chunk, _encoding, done) => done()
  await expect(ask(later)).rejects.toThrow('lost')
})
