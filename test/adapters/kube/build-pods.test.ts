import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { afterEach, describe, expect, test } from 'vitest'
import type WebSocket from 'ws'
import { WebSocketServer } from 'ws'
import { systemClock } from '../../../src/adapters/clock.ts'
import { Api } from '../../../src/adapters/kube/api.ts'
import { ClusterBuildPods } from '../../../src/adapters/kube/build-pods.ts'
import { conflictError } from '../../../src/errors.ts'
import { failure } from '../../app/failure.ts'
import { kubeConfig } from './api-server.ts'

const closing: (() => unknown)[] = []
afterEach(() => {
  for (const close of closing.splice(0)) close()
})

/** A kubelet that knows these subprotocols, the best first, and a log. */
async function kubelet(protocols: readonly string[], log: readonly string[] = []) {
  const requests: string[] = []
  const server = http.createServer(async (request, response) => {
    requests.push(request.url ?? '')
    for (const part of log) response.write(part)
    response.end()
  })
  const sockets = new WebSocketServer({
    server,
    handleProtocols: (offered) => protocols.find((one) => offered.has(one)) ?? false,
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  closing.push(() => {
    for (const socket of sockets.clients) socket.terminate()
    server.closeAllConnections()
    server.close()
  })
  const config = kubeConfig((server.address() as AddressInfo).port)
  const over = new AbortController()
  const attached = once(sockets, 'connection') as Promise<[WebSocket, http.IncomingMessage]>
  const pods = new ClusterBuildPods(new Api(config, systemClock, over.signal))
  const send = (content: Readable) => pods.send('n', 'p', 'build', content, over.signal)
  const follow = (from: number, tell: (text: string) => void) =>
    pods.follow('n', 'p', 'build', from, (chunk) => tell(Buffer.from(chunk).toString()), over.signal)
  return { attached, send, follow, over, requests }
}

/** What arrives on stdin, until it is closed or no more comes. */
function stdin(socket: WebSocket) {
  const chunks: Buffer[] = []
  const closed = Promise.withResolvers<Buffer>()
  socket.on('message', (data: Buffer) => {
    if (data[0] === 0) chunks.push(data.subarray(1))
    if (data[0] === 255) closed.resolve(data)
  })
  return { closed: closed.promise, bytes: () => Buffer.concat(chunks) }
}

describe('what is sent to a container', () => {
  const body = randomBytes(3_000_000)

  test('arrives, and its stdin is closed alone where the server can do that', async () => {
    const { attached, send } = await kubelet(['v5.channel.k8s.io', 'v4.channel.k8s.io'])
    const sending = send(Readable.from([body.subarray(0, 1_000_000), body.subarray(1_000_000)]))
    const [socket, request] = await attached
    expect(request.url).toBe('/api/v1/namespaces/n/pods/p/attach?container=build&stdin=true&stdout=false&stderr=false')
    const { closed, bytes } = stdin(socket)
    expect(await closed).toEqual(Buffer.of(255, 0))
    expect(bytes().equals(body)).toBe(true)
    socket.close()
    await sending
  })

  test('arrives on an older server too, and stays connected until nobody reads any more', async () => {
    const { attached, send, over } = await kubelet(['v4.channel.k8s.io'])
    let ended = false
    const sending = send(Readable.from([body])).then(() => {
      ended = true
    })
    const [socket] = await attached
    const { bytes } = stdin(socket)
    await expect.poll(() => bytes().length).toBe(body.length)
    expect([ended, socket.readyState]).toEqual([false, 1])
    over.abort()
    await sending
  })

  test('a container that is gone, in the words of the server', async () => {
    const { attached, send } = await kubelet(['v5.channel.k8s.io'])
    const sending = send(new Readable({ read() {} }))
    const [socket] = await attached
    const status = { kind: 'Status', status: 'Failure', message: 'container not found' }
    socket.send(Buffer.concat([Buffer.of(3), Buffer.from(JSON.stringify(status))]))
    await expect(sending).rejects.toThrow(failure('SEND_FAILED', 5, 'container not found'))
  })

  test('a connection that breaks', async () => {
    const { attached, send } = await kubelet(['v5.channel.k8s.io'])
    const sending = send(new Readable({ read() {} }))
    const [socket] = await attached
    socket.terminate()
    await expect(sending).rejects.toThrow(failure('SEND_FAILED', 5, 'closed early'))
  })

  test('a file that cannot be read is what failed', async () => {
    const { attached, send } = await kubelet(['v5.channel.k8s.io'])
    const content = new Readable({ read() {} })
    const sending = send(content)
    await attached
    content.destroy(conflictError('CONTEXT_CHANGED', 'it became shorter'))
    await expect(sending).rejects.toThrow(failure('CONTEXT_CHANGED', 4))
  })

  test('an interrupt while it connects is an interrupt', async () => {
    const { send, over } = await kubelet(['v5.channel.k8s.io'])
    const sending = send(Readable.from([body]))
    over.abort(new Error('stopped'))
    await expect(sending).rejects.toThrow('stopped')
  })
})

test('a log is told from where it broke', async () => {
  const { follow, requests } = await kubelet([], ['one ', 'two ', 'three'])
  const told: string[] = []
  await follow(6, (text) => told.push(text))
  expect(told.join('')).toBe('o three')
  expect(requests).toEqual(['/api/v1/namespaces/n/pods/p/log?container=build&follow=true'])
})
