import { Writable } from 'node:stream'
import type { KubeConfig } from '@kubernetes/client-node'
import WebSocket from 'ws'
import { clusterError } from '../../errors.ts'
import { dial } from './dial.ts'

const STDIN = 0
const STATUS = 3
const CLOSE = 255
/** What may wait to be written before the writer has to. */
const BUFFERED = 512 * 1024
const PING = 20_000
/** Until the server has said that it closed the container's stdin. */
const CLOSING = 10_000

/**
 * The stdin of a container. v5.channel.k8s.io can close it alone (Kubernetes 1.30); before, it closes with the connection, so
 * `finished` keeps that open until the signal says that nobody reads any more.
 */
export async function openStdin(
  config: KubeConfig,
  namespace: string,
  pod: string,
  container: string,
  signal: AbortSignal,
): Promise<{ readonly stdin: Writable; readonly finished: Promise<void> }> {
  const about = `send to container ${container} of pod ${namespace}/${pod}`
  const at = `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods/${encodeURIComponent(pod)}/attach`
  const query = new URLSearchParams({ container, stdin: 'true', stdout: 'false', stderr: 'false' })
  const { socket, opened } = await dial(
    config,
    `${at}?${query}`,
    ['v5.channel.k8s.io', 'v4.channel.k8s.io'],
    about,
    signal,
  )
  const stdin = new Stdin(socket, about)
  const finished = new Promise<void>((resolve) => socket.once('close', () => resolve()))
  const end = (): void => socket.terminate()
  signal.addEventListener('abort', end, { once: true })
  void finished.then(() => signal.removeEventListener('abort', end))
  await opened()
  return { stdin, finished }
}

class Stdin extends Writable {
  readonly #socket: WebSocket
  readonly #about: string
  readonly #ping: NodeJS.Timeout

  constructor(socket: WebSocket, about: string) {
    super({ highWaterMark: 256 * 1024 })
    this.#socket = socket
    this.#about = about
    // Until something is written nobody else listens, and what ends the connection before is told by its opening.
    this.on('error', () => {})
    socket.on('message', (data) => this.#take(data as Buffer))
    socket.on('error', (error) => this.#fail(error.message))
    socket.on('close', () => {
      clearInterval(this.#ping)
      if (!this.writableFinished) this.#fail('the connection closed early')
    })
    this.#ping = setInterval(() => socket.readyState === WebSocket.OPEN && socket.ping(), PING)
    this.#ping.unref()
  }

  #take(data: Buffer): void {
    if (data[0] !== STATUS) return
    const text = data.subarray(1).toString('utf8')
    if (text.includes('"Failure"')) this.#fail(messageOf(text))
  }

  #fail(why: string): void {
    this.destroy(clusterError('SEND_FAILED', `cannot ${this.#about}: ${why}`))
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    if (this.#socket.readyState !== WebSocket.OPEN) {
      done(new Error('the connection to the API server is closed'))
      return
    }
    const frame = Buffer.allocUnsafe(chunk.length + 1)
    frame[0] = STDIN
    chunk.copy(frame, 1)
    const full = this.#socket.bufferedAmount > BUFFERED
    this.#socket.send(frame, { binary: true }, full ? (error) => done(error) : () => {})
    if (!full) done()
  }

  override _final(done: (error?: Error | null) => void): void {
    const closes = this.#socket.protocol === 'v5.channel.k8s.io'
    const last = closes ? Buffer.of(CLOSE, STDIN) : Buffer.of(STDIN)
    this.#socket.send(last, { binary: true }, (error) => done(error))
    if (closes) setTimeout(() => this.#socket.close(), CLOSING).unref()
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    clearInterval(this.#ping)
    if (error !== null) this.#socket.terminate()
    done(error)
  }
}

function messageOf(status: string): string {
  try {
    return (JSON.parse(status) as { message?: string }).message ?? status
  } catch {
    return status
  }
}
