import { Duplex } from 'node:stream'
import type { KubeConfig } from '@kubernetes/client-node'
import { WebSocketHandler } from '@kubernetes/client-node/dist/web-socket-handler.js'
import type { Socket } from './web-socket.ts'

const DATA = 0
const ERRORS = 1

type PortSocket = Socket & { send(data: Buffer): void }

/**
 * One connection to a port on the pod's loopback; destroying the stream closes the socket to the API server.
 * client-node's own PortForward does the same and no more, but brings 5 MB of generated models into the bundle.
 */
export async function openPort(config: KubeConfig, namespace: string, pod: string, port: number): Promise<Duplex> {
  let socket: PortSocket | undefined
  const stream = new Duplex({
    read() {},
    write(chunk: Buffer, _encoding, done) {
      socket?.send(Buffer.concat([Buffer.from([DATA]), chunk]))
      done()
    },
    destroy(error, done) {
      socket?.terminate()
      done(error)
    },
  })
  // http attaches its own listener, but only from the request on.
  stream.on('error', () => {})
  // Each channel starts with two bytes that repeat the port's number.
  const preamble = [2, 2]
  const idle = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() })
  // The defaults of client-node 2.0.1 are our own stdout and stderr, which it ends when the server closes a channel.
  const handler = new WebSocketHandler(config, undefined, { stdin: idle, stdout: idle, stderr: idle })
  const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods/${encodeURIComponent(pod)}/portforward?ports=${port}`
  const opened: PortSocket = await handler.connect(path, null, (channel, bytes) => {
    if (channel !== DATA && channel !== ERRORS) return true
    const skip = Math.min(preamble[channel] ?? 0, bytes.length)
    preamble[channel] = (preamble[channel] ?? 0) - skip
    const content = bytes.subarray(skip)
    if (content.length === 0 || stream.destroyed) return true
    if (channel === DATA) stream.push(content)
    else stream.destroy(new Error(content.toString('utf8').trim()))
    return true
  })
  socket = opened
  opened.addEventListener('close', () => {
    if (!stream.destroyed) stream.push(null)
  })
  return stream
}
