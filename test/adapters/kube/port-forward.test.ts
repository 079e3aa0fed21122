import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { afterEach, expect, test } from 'vitest'
import type WebSocket from 'ws'
import { WebSocketServer } from 'ws'
import { openPort } from '../../../src/adapters/kube/port-forward.ts'
import { kubeConfig } from './api-server.ts'

const closing: (() => unknown)[] = []
afterEach(() => {
  for (const close of closing.splice(0)) close()
})

const PORT = Buffer.from([0x88, 0x13])
const message = (channel: number, data: Buffer | string) => Buffer.concat([Buffer.from([channel]), Buffer.from(data)])

/** The kubelet's side of one connection, once it is open, and ours. */
async function connected() {
  const server = http.createServer((_request, response) => {
    const status = {
      kind: 'Status',
      reason: 'Forbidden',
      message: 'pods "p" is forbidden: User "u" cannot create resource',
    }
    response.writeHead(403).end(JSON.stringify(status))
  })
  const sockets = new WebSocketServer({ noServer: true })
  server.on('upgrade', (request, socket, head) => {
    if (request.url?.includes('/forbidden/'))
      return void server.emit('request', request, new http.ServerResponse(request))
    sockets.handleUpgrade(request, socket, head, (opened) => sockets.emit('connection', opened, request))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  closing.push(() => {
    for (const socket of sockets.clients) socket.terminate()
    server.closeAllConnections()
    server.close()
  })
  const config = kubeConfig((server.address() as AddressInfo).port)
  const arrived = once(sockets, 'connection') as Promise<[WebSocket, http.IncomingMessage]>
  return { config, arrived }
}

async function pair() {
  const { config, arrived } = await connected()
  const stream = await openPort(config, 'n', 'p', 5000)
  const [socket, request] = await arrived
  closing.push(() => stream.destroy())
  return { stream, socket, request }
}

test('one port of one pod, by the subprotocol that kubelets speak', async () => {
  const { socket, request } = await pair()
  expect(request.url).toBe('/api/v1/namespaces/n/pods/p/portforward?ports=5000')
  expect(socket.protocol).toBe('v4.channel.k8s.io')
})

test('bytes both ways, however the port in front of them is cut', async () => {
  const { stream, socket } = await pair()
  const body = randomBytes(3_000_000)
  socket.on('message', (data: Buffer) => socket.send(message(0, data.subarray(1))))
  socket.send(message(0, PORT.subarray(0, 1)))
  socket.send(message(1, PORT))
  socket.send(message(0, Buffer.concat([PORT.subarray(1), Buffer.from('hello')])))
  const chunks: Buffer[] = []
  stream.on('data', (chunk: Buffer) => chunks.push(chunk))
  for (let at = 0; at < body.length; at += 50_000)
    if (!stream.write(body.subarray(at, at + 50_000))) await once(stream, 'drain')
  await expect.poll(() => chunks.reduce((sum, chunk) => sum + chunk.length, 0)).toBe(body.length + 5)
  expect(Buffer.concat(chunks).equals(Buffer.concat([Buffer.from('hello'), body]))).toBe(true)
})

test('a server that takes nothing stops the writer', async () => {
  const { stream, socket } = await pair()
  socket.pause()
  const chunk = Buffer.alloc(256 * 1024)
  let accepted = 0
  while (accepted < 400) {
    if (!stream.write(chunk) && !(await Promise.race([once(stream, 'drain').then(() => true), pause(300, false)])))
      break
    accepted += 1
  }
  expect(accepted).toBeLessThan(64)
  socket.resume()
  await once(stream, 'drain')
})

test('a reader that takes nothing stops the server', async () => {
  const { stream, socket } = await pair()
  socket.send(message(0, PORT))
  const chunk = message(0, Buffer.alloc(32 * 1024))
  for (let sent = 0; sent < 2_000; sent += 1) socket.send(chunk)
  await pause(500)
  expect(stream.readableLength).toBeLessThan(1024 * 1024)
  expect(socket.bufferedAmount).toBeGreaterThan(30 * 1024 * 1024)
  let got = 0
  stream.on('data', (part: Buffer) => {
    got += part.length
  })
  await expect.poll(() => got, { timeout: 4_000 }).toBe(2_000 * 32 * 1024)
})

test('the end of either side, and an error of the pod', async () => {
  const one = await pair()
  one.socket.close()
  one.stream.resume()
  await once(one.stream, 'close')
  const other = await pair()
  other.stream.end('bye')
  await once(other.socket, 'close')
  const third = await pair()
  third.socket.send(message(1, PORT))
  third.socket.send(message(1, 'dial tcp4 127.0.0.1:5000: connect: connection refused'))
  await expect(once(third.stream, 'close')).rejects.toThrow('connection refused')
})

test('a handshake that is refused says why, and one that nobody answers can be given up', async () => {
  const { config } = await connected()
  const server = http.createServer()
  server.on('upgrade', (_request, socket) => {
    const body = JSON.stringify({ reason: 'Forbidden', message: 'User "u" cannot create resource "pods/portforward"' })
    socket.end(`HTTP/1.1 403 Forbidden\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  closing.push(() => server.close())
  const refusing = kubeConfig((server.address() as AddressInfo).port)
  await expect(openPort(refusing, 'n', 'p', 5000)).rejects.toMatchObject({
    code: 'FORBIDDEN',
    message: expect.stringContaining('cannot create resource "pods/portforward"'),
  })
  await expect(openPort(config, 'n', 'p', 5000, AbortSignal.abort(new Error('enough')))).rejects.toThrow('enough')
  await expect(openPort(kubeConfig(1), 'n', 'p', 5000)).rejects.toMatchObject({ code: 'UNREACHABLE' })
})
