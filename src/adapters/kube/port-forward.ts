import { Duplex } from 'node:stream'
import type { KubeConfig } from '@kubernetes/client-node'
import WebSocket from 'ws'
import { release } from '../forward/garbage.ts'
import { dial } from './dial.ts'

const DATA = 0
const ERRORS = 1

/** What may wait to be written before the writer has to. */
const BUFFERED = 256 * 1024
const PING = 20_000
/** A server that has too much to deliver answers no ping either, so this is long. */
const SILENCE = 120_000

/**
 * One connection to a port on the pod's loopback over the subprotocol v4.channel.k8s.io, with back-pressure both ways. The
 * protocol has no half-close: ending the stream closes the connection. client-node's own PortForward keeps what a stalled
 * peer does not take in memory, and never tells the end.
 */
export async function openPort(
  config: KubeConfig,
  namespace: string,
  pod: string,
  port: number,
  signal?: AbortSignal,
): Promise<Duplex> {
  const about = `reach port ${port} of pod ${namespace}/${pod}`
  const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods/${encodeURIComponent(pod)}/portforward?ports=${port}`
  const { socket, opened } = await dial(config, path, ['v4.channel.k8s.io'], about, signal)
  // Before it opens: the first message comes in the same turn.
  const stream = new PortStream(socket)
  await opened()
  return stream
}

class PortStream extends Duplex {
  readonly #socket: WebSocket
  /** Each channel starts with two bytes that repeat the port's number. */
  readonly #preamble = [2, 2]
  readonly #ping: NodeJS.Timeout
  #heard = Date.now()

  constructor(socket: WebSocket) {
    super({ readableHighWaterMark: 64 * 1024, writableHighWaterMark: 128 * 1024 })
    this.#socket = socket
    // http attaches its own listener, but only from the request on.
    this.on('error', () => {})
    socket.on('message', (data) => this.#take(data as Buffer))
    socket.on('pong', () => {
      this.#heard = Date.now()
    })
    socket.on('error', (error) => this.destroy(error))
    socket.on('close', () => {
      clearInterval(this.#ping)
      if (!this.readableEnded) this.push(null)
      if (!this.writableFinished) this.end()
    })
    this.#ping = setInterval(() => this.#beat(), PING)
    this.#ping.unref()
  }

  #take(data: Buffer): void {
    this.#heard = Date.now()
    const channel = data[0]
    if (channel !== DATA && channel !== ERRORS) return
    const skip = Math.min(this.#preamble[channel] ?? 0, data.length - 1)
    this.#preamble[channel] = (this.#preamble[channel] ?? 0) - skip
    const content = data.subarray(1 + skip)
    if (content.length === 0 || this.destroyed) return
    if (channel === ERRORS) this.destroy(new Error(content.toString('utf8').trim()))
    else if (!this.push(content)) this.#socket.pause()
  }

  #beat(): void {
    if (this.#socket.readyState !== WebSocket.OPEN) return
    // While we take nothing we hear nothing.
    if (this.#socket.isPaused) this.#heard = Date.now()
    else if (Date.now() - this.#heard > SILENCE) this.destroy(new Error('the API server no longer answers'))
    else this.#socket.ping()
  }

  override _read(): void {
    this.#heard = Date.now()
    if (this.#socket.isPaused) this.#socket.resume()
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#send([chunk], chunk.length, done)
  }

  override _writev(chunks: { chunk: Buffer }[], done: (error?: Error | null) => void): void {
    const parts = chunks.map(({ chunk }) => chunk)
    this.#send(
      parts,
      parts.reduce((sum, part) => sum + part.length, 0),
      done,
    )
  }

  #send(parts: readonly Buffer[], length: number, done: (error?: Error | null) => void): void {
    if (this.#socket.readyState !== WebSocket.OPEN) {
      done(new Error('the connection to the API server is closed'))
      return
    }
    const frame = Buffer.allocUnsafeSlow(length + 1)
    frame[0] = DATA
    let at = 1
    for (const part of parts) at += part.copy(frame, at)
    const full = this.#socket.bufferedAmount > BUFFERED
    this.#socket.send(frame, { binary: true }, (error) => {
      release(frame)
      if (full) done(error)
    })
    if (!full) done()
  }

  override _final(done: () => void): void {
    this.#socket.close()
    done()
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    clearInterval(this.#ping)
    this.#socket.terminate()
    done(error)
  }
}
