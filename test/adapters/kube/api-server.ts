import { createHash } from 'node:crypto'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { KubeConfig } from '@kubernetes/client-node'
import { Api } from '../../../src/adapters/kube/api.ts'
import type { Clock } from '../../../src/ports.ts'

export type Seen = { readonly method: string; readonly url: URL; readonly contentType: string; readonly body: unknown }
type Answer = { readonly status?: number; readonly headers?: Record<string, string>; readonly body: unknown }
/** Channel and bytes of one message, as the streaming subprotocols of Kubernetes frame them. */
type Messages = (send: (channel: number, data: string | Buffer) => void, close: () => void) => (data: Buffer) => void

const RESOURCES: Record<string, unknown> = {
  '/api/v1': {
    resources: [
      { name: 'configmaps', kind: 'ConfigMap', namespaced: true },
      { name: 'namespaces', kind: 'Namespace', namespaced: false },
    ],
  },
  '/apis/apps/v1': {
    resources: [
      { name: 'deployments', kind: 'Deployment', namespaced: true },
      { name: 'deployments/scale', kind: 'Scale', namespaced: true },
    ],
  },
}

/** A loopback server that speaks as much of the API as a test says; it serves ConfigMap, Namespace and Deployment. */
export async function apiServer(
  answer: (request: Seen, count: number) => Answer | 'reset',
  streams: (path: string) => Messages | undefined = () => undefined,
) {
  const seen: Seen[] = []
  const sockets = new Set<import('node:net').Socket>()
  const server = http.createServer(async (incoming, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of incoming) chunks.push(chunk as Buffer)
    const text = Buffer.concat(chunks).toString()
    const url = new URL(incoming.url ?? '/', 'http://localhost')
    const known = RESOURCES[url.pathname]
    const send = ({ status = 200, headers = {}, body }: Answer): void => {
      response.writeHead(status, { 'content-type': 'application/json', ...headers })
      response.end(typeof body === 'string' ? body : JSON.stringify(body))
    }
    if (known !== undefined) return send({ body: known })
    if (/^\/apis\/[^/]+\/[^/]+$/.test(url.pathname)) return send({ status: 404, body: 'not found' })
    const request = {
      method: incoming.method ?? '',
      url,
      contentType: incoming.headers['content-type'] ?? '',
      body: text === '' ? undefined : (JSON.parse(text) as unknown),
    }
    seen.push(request)
    const result = answer(request, seen.length)
    if (result === 'reset') incoming.socket.resetAndDestroy()
    else send(result)
  })
  server.on('connection', (socket) => sockets.add(socket))
  server.on('upgrade', (incoming, socket) => {
    const messages = streams(incoming.url ?? '')
    if (messages === undefined) {
      socket.end('HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n')
      return
    }
    const accept = createHash('sha1').update(
      `${incoming.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`,
    )
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Protocol: v4.channel.k8s.io\r\nSec-WebSocket-Accept: ${accept.digest('base64')}\r\n\r\n`,
    )
    const take = messages(
      (channel, data) => socket.write(frame(2, Buffer.concat([Buffer.from([channel]), Buffer.from(data)]))),
      () => socket.end(frame(8, Buffer.alloc(0))),
    )
    let pending = Buffer.alloc(0)
    socket.on('error', () => {})
    socket.on('data', (chunk: Buffer) => {
      pending = Buffer.concat([pending, chunk])
      for (let parsed = unframe(pending); parsed !== undefined; parsed = unframe(pending)) {
        pending = pending.subarray(parsed.length)
        if (parsed.opcode === 2) take(parsed.payload)
      }
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const config = kubeConfig((server.address() as AddressInfo).port)
  const close = (): void => {
    for (const socket of sockets) socket.destroy()
    server.close()
  }
  return { seen, config, api: new Api(config, hastyClock, new AbortController().signal), [Symbol.dispose]: close }
}

/** client-node refuses plain HTTP unless told to skip the verification of TLS. */
export function kubeConfig(port: number): KubeConfig {
  const config = new KubeConfig()
  config.loadFromOptions({
    clusters: [{ name: 'c', server: `http://127.0.0.1:${port}`, skipTLSVerify: true }],
    users: [{ name: 'u' }],
    contexts: [{ name: 'lab', cluster: 'c', user: 'u' }],
    currentContext: 'lab',
  })
  return config
}

export const hastyClock: Clock = { now: () => 0, sleep: async (_, signal) => signal?.throwIfAborted() }

function frame(opcode: number, payload: Buffer): Buffer {
  const head = payload.length < 126 ? Buffer.from([0x80 | opcode, payload.length]) : Buffer.alloc(4)
  if (payload.length >= 126) {
    head.writeUInt8(0x80 | opcode, 0)
    head.writeUInt8(126, 1)
    head.writeUInt16BE(payload.length, 2)
  }
  return Buffer.concat([head, payload])
}

function unframe(bytes: Buffer): { opcode: number; payload: Buffer; length: number } | undefined {
  if (bytes.length < 6) return undefined
  const short = bytes.readUInt8(1) & 0x7f
  const start = short === 127 ? 14 : short === 126 ? 8 : 6
  if (bytes.length < start) return undefined
  const size = short === 127 ? Number(bytes.readBigUInt64BE(2)) : short === 126 ? bytes.readUInt16BE(2) : short
  if (bytes.length < start + size) return undefined
  const mask = bytes.subarray(start - 4, start)
  const payload = Buffer.from(bytes.subarray(start, start + size).map((byte, at) => byte ^ (mask[at % 4] ?? 0)))
  return { opcode: bytes.readUInt8(0) & 0x0f, payload, length: start + size }
}
