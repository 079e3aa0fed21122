import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import http from 'node:http'
import net, { type AddressInfo, type Server, type Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { afterEach, expect, test } from 'vitest'
import { openListener } from '../../../src/adapters/forward/listener.ts'
import { listeners } from '../../../src/adapters/forward/listeners.ts'
import { ownHosts } from '../../../src/domain/forward/admission.ts'
import type { ForwardReport } from '../../../src/domain/forward/forward-report.ts'
import { clusterError } from '../../../src/errors.ts'
import type { ListenOptions } from '../../../src/ports/forward.ts'

const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

type Over = Partial<ListenOptions> & { readonly holdMs?: number; readonly headMs?: number }

/** A forward to `connect`, by default to nothing that answers. */
async function forward({ holdMs, headMs, ...options }: Over = {}) {
  const report = { instance: 'i', pid: 1, server: 's', state: 'ready' } as ForwardReport
  const listener = await openListener(
    {
      port: 0,
      addresses: ['127.0.0.1', '::1'],
      optional: ['::1'],
      names: (port) => ({ hosts: ownHosts(port), origins: ownHosts(port) }),
      connect: () => Promise.reject(clusterError('NO_READY_POD', 'no registry pod is ready')),
      report: () => report,
      ...options,
    },
    { ...(holdMs === undefined ? {} : { holdMs }), ...(headMs === undefined ? {} : { headMs }) },
  )
  closing.push(() => listener.close())
  return listener
}

/** A server of bytes, and what connects to it. */
async function backend(serve: (socket: Socket) => void) {
  const sockets = new Set<Socket>()
  const server: Server = net.createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket)
    socket.on('error', () => {}).on('close', () => sockets.delete(socket))
    serve(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  closing.push(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  const connect = async (): Promise<Socket> => {
    const socket = net.connect({ host: '127.0.0.1', port, allowHalfOpen: true })
    await once(socket, 'connect')
    return socket
  }
  return { connect, sockets }
}

/** Sends, and gives all that came until the end. */
async function say(port: number, text: string | Buffer, { end = false, host = '127.0.0.1' } = {}): Promise<string> {
  const socket = net.connect({ host, port, allowHalfOpen: true })
  closing.push(() => socket.destroy())
  if (end) socket.end(text)
  else socket.write(text)
  let got = ''
  socket.on('error', () => {})
  socket.on('data', (chunk: Buffer) => {
    got += chunk.toString('latin1')
  })
  socket.on('end', () => socket.end())
  await once(socket, 'close').catch(() => {})
  return got
}

const head = (port: number, line = 'GET /v2/ HTTP/1.1', ...fields: readonly string[]) =>
  `${[line, `Host: localhost:${port}`, ...fields].join('\r\n')}\r\n\r\n`

test('a refused request never reaches the other side', async () => {
  let connected = 0
  const listener = await forward({
    connect: () => {
      connected += 1
      return Promise.reject(clusterError('X', 'x'))
    },
  })
  const { port } = listener
  const answers = await Promise.all([
    say(port, 'GET /v2/ HTTP/1.1\r\nHost: evil.example\r\n\r\n'),
    say(port, head(port, 'POST /v2/a/blobs/uploads/ HTTP/1.1', 'Origin: http://evil.example')),
    say(port, '\u0016\u0003\u0001\u0002\u0000'),
    say(port, `GET /v2/ HTTP/1.1\r\nHost: localhost:${port}\r\nX: ${'a'.repeat(70_000)}`),
  ])
  expect(answers.map((answer) => answer.split('\r\n')[0])).toEqual([
    'HTTP/1.1 421 Misdirected Request',
    'HTTP/1.1 403 Forbidden',
    'HTTP/1.1 400 Bad Request',
    'HTTP/1.1 431 Request Header Fields Too Large',
  ])
  expect(connected).toBe(0)
  expect(listener.traffic().connections).toEqual({ open: 0, total: 0, refused: 2, failed: 0 })
})

test('a head that comes byte by byte is served, one that stops is told so, and a silent connection ends', async () => {
  const { connect } = await backend((socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'))
  const { port } = await forward({ connect, headMs: 600 })
  const slow = net.connect(port, '127.0.0.1')
  closing.push(() => slow.destroy())
  let answer = ''
  slow.on('data', (chunk: Buffer) => {
    answer += chunk.toString()
  })
  for (const byte of head(port)) {
    slow.write(byte)
    await pause(1)
  }
  await once(slow, 'end')
  expect(answer).toMatch(/^HTTP\/1.1 200/)
  expect(await say(port, 'GET /v2/ HTTP/1.1\r\nHost: local')).toMatch(/^HTTP\/1.1 408/)
  expect(await say(port, '')).toBe('')
})

test('only the first request of a connection is read', async () => {
  const seen: string[] = []
  const server = http.createServer((request, response) => {
    seen.push(`${request.method} ${request.url} ${request.headers.host}`)
    response.end('ok')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  closing.push(() => server.close())
  const { port: target } = server.address() as AddressInfo
  const { port } = await forward({ connect: async () => net.connect(target, '127.0.0.1') })
  const text = `${head(port)}GET /second HTTP/1.1\r\nHost: other\r\nConnection: close\r\n\r\n`
  const answer = await say(port, text)
  expect(answer.match(/HTTP\/1.1 200 OK/g)?.length).toBe(2)
  expect(seen).toEqual([`GET /v2/ localhost:${port}`, 'GET /second other'])
})

test('bytes arrive as they were sent, both ways and in both families, and are counted', async () => {
  const { connect } = await backend((socket) => socket.pipe(socket))
  const listener = await forward({ connect })
  const body = randomBytes(8 * 1024 * 1024)
  for (const address of listener.addresses) {
    const socket = net.connect({ host: address, port: listener.port, allowHalfOpen: true })
    const sent = Buffer.concat([Buffer.from(head(listener.port, 'PUT /x HTTP/1.1')), body])
    socket.end(sent)
    const chunks: Buffer[] = []
    for await (const chunk of socket) chunks.push(chunk as Buffer)
    expect(Buffer.concat(chunks).equals(sent)).toBe(true)
  }
  await expect.poll(() => listener.traffic().connections.open).toBe(0)
  const { connections, bytes } = listener.traffic()
  expect(connections.total).toBe(listener.addresses.length)
  expect(bytes.up).toBe(bytes.down)
  expect(bytes.up).toBeGreaterThan(listener.addresses.length * body.length)
})

test('an answer that comes after the client sent all it has', async () => {
  // Like containerd: one direction's end is soon the end of both.
  const { connect } = await backend((socket) => {
    socket.on('end', () => socket.destroy())
    socket.once('data', () => setTimeout(() => socket.end('HTTP/1.1 201 Created\r\n\r\n'), 300))
  })
  const { port } = await forward({ connect })
  expect(await say(port, head(port, 'POST /v2/ HTTP/1.1'), { end: true })).toContain('201 Created')
})

test('a stalled side stops the other one, and nothing is kept for it', async () => {
  const stalled = await backend((socket) => socket.pause())
  const { port } = await forward({ connect: stalled.connect })
  const client = net.connect(port, '127.0.0.1')
  closing.push(() => client.destroy())
  client.write(head(port, 'PUT /x HTTP/1.1', 'Content-Length: 999999999'))
  const chunk = Buffer.alloc(1024 * 1024)
  const before = process.memoryUsage().rss
  let sent = 0
  for (let quiet = 0; quiet < 10 && sent < 512; ) {
    if (client.write(chunk)) continue
    const drained = await Promise.race([once(client, 'drain').then(() => true), pause(50, false)])
    quiet = drained ? 0 : quiet + 1
    if (drained) sent += 1
  }
  expect(sent).toBeLessThan(64)
  expect(process.memoryUsage().rss - before).toBeLessThan(100 * 1024 * 1024)
})

test('200 connections at once', async () => {
  const asked: Socket[] = []
  const { connect } = await backend((socket) => socket.once('data', () => asked.push(socket)))
  const listener = await forward({ connect })
  const answers = Promise.all(Array.from({ length: 200 }, () => say(listener.port, head(listener.port))))
  await expect.poll(() => asked.length, { timeout: 4_000 }).toBe(200)
  expect(listener.traffic().connections.open).toBe(200)
  for (const socket of asked) socket.end('HTTP/1.1 200 OK\r\n\r\n')
  expect(new Set(await answers)).toEqual(new Set(['HTTP/1.1 200 OK\r\n\r\n']))
})

test('a connection waits for the registry, and is told when it does not come', async () => {
  const { connect } = await backend((socket) => socket.end('HTTP/1.1 200 OK\r\n\r\n'))
  let ready = false
  const waiting = async (signal: AbortSignal): Promise<Socket> => {
    while (!ready) {
      if (signal.aborted) throw clusterError('NO_READY_POD', 'no registry pod is ready', { suggestions: ['do x'] })
      await pause(10)
    }
    return connect()
  }
  const { port } = await forward({ connect: waiting, holdMs: 300 })
  const answer = await say(port, head(port, 'PUT /x HTTP/1.1', 'Content-Length: 4000000'))
  expect(answer).toMatch(/^HTTP\/1.1 503 /)
  expect(answer).toContain('no registry pod is ready; do x')
  const later = say(port, head(port))
  await pause(100)
  ready = true
  expect(await later).toContain('200 OK')
})

test('a forward that ends while a connection is made is no bug', async () => {
  const warnings: Error[] = []
  const warned = (warning: Error) => void warnings.push(warning)
  process.on('warning', warned)
  closing.push(() => process.off('warning', warned))
  let asked: AbortSignal | undefined
  const connect = (signal: AbortSignal) =>
    new Promise<never>((_, reject) => {
      asked = signal
      signal.addEventListener('abort', () => reject(signal.reason))
    })
  const listener = await forward({ connect })
  const said = say(listener.port, head(listener.port))
  while (asked === undefined) await pause(5)
  await listener.close()
  expect(await said).toBe('')
  while (!asked.aborted) await pause(5)
  await pause(20)
  expect(warnings).toEqual([])
})

test('an address that cannot be', async () => {
  const options = { port: 0, addresses: ['127.0.0.999'], optional: [] }
  const listening = listeners.listen({
    ...options,
    names: () => ({ hosts: [], origins: [] }),
    connect: () => Promise.reject(new Error('unused')),
    report: () => ({}) as ForwardReport,
  })
  await expect(listening).rejects.toMatchObject({ code: 'NO_ADDRESS' })
})

test('a peer that goes before its first byte: asked again for a read, told for a write', async () => {
  let count = 0
  const { connect } = await backend((socket) => {
    count += 1
    if (count % 3 === 0) socket.end('HTTP/1.1 200 OK\r\n\r\n')
    else if (count % 3 === 1) socket.once('data', () => socket.resetAndDestroy())
    else socket.once('data', () => socket.end())
  })
  const { port } = await forward({ connect })
  expect(await say(port, head(port))).toContain('200 OK')
  expect(count).toBe(3)
  expect(await say(port, head(port, 'PUT /x HTTP/1.1'))).toMatch(/^HTTP\/1.1 503 .*the registry did not answer/s)
  expect(count).toBe(4)
})

test('a peer that breaks in the middle breaks the client too, and so the other way round', async () => {
  const { connect, sockets } = await backend((socket) => {
    socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf')
    socket.resume().on('end', () => socket.end())
  })
  const { port } = await forward({ connect })
  const client = net.connect(port, '127.0.0.1')
  client.write(head(port))
  await once(client, 'data')
  for (const socket of sockets) socket.resetAndDestroy()
  await expect(once(client, 'close')).rejects.toMatchObject({ code: 'ECONNRESET' })
  const other = net.connect(port, '127.0.0.1')
  other.write(head(port))
  await once(other, 'data')
  other.resetAndDestroy()
  await expect.poll(() => sockets.size).toBe(0)
})

test('a port is taken as a whole or not at all, and its holder is named', async () => {
  const { port } = await forward({ addresses: ['127.0.0.1'] })
  const options = { port, addresses: ['::1', '127.0.0.1'], optional: [] }
  const second = listeners.listen({
    ...options,
    names: () => ({ hosts: [], origins: [] }),
    connect: () => Promise.reject(new Error('unused')),
    report: () => ({}) as ForwardReport,
  })
  await expect(second).rejects.toMatchObject({ code: 'PORT_TAKEN', details: { holder: { pid: process.pid } } })
  const free = net.createServer().listen(port, '::1')
  await once(free, 'listening')
  free.close()
})

test('a forward tells about itself, and only to who asks by its name', async () => {
  const { port, addresses } = await forward()
  for (const address of addresses) expect(await listeners.ask(address, port)).toMatchObject({ instance: 'i', pid: 1 })
  expect(await say(port, 'GET /.regctl/forward HTTP/1.1\r\nHost: evil.example\r\n\r\n')).not.toContain('instance')
  const other = http.createServer((_request, response) => response.writeHead(403).end())
  other.listen(0, '127.0.0.1')
  await once(other, 'listening')
  closing.push(() => other.close())
  expect(await listeners.ask('127.0.0.1', (other.address() as AddressInfo).port)).toBeUndefined()
})
