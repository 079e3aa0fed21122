import { once } from 'node:events'
import net, { type Server, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { setTimeout as pause } from 'node:timers/promises'
import { refusalOf, refusalText, responseText } from '../../domain/forward/admission.ts'
import { REPORT_PATH, type Traffic } from '../../domain/forward/forward-report.ts'
import { RegctlError } from '../../errors.ts'
import type { Listener, ListenOptions } from '../../ports/forward.ts'
import { firstRequest } from './first-request.ts'
import { collectAll } from './garbage.ts'
import { join } from './join.ts'

/** How long a connection waits for a registry that restarts, before the client is told so. */
const HOLD = 60_000
const ATTEMPTS = 4
/** When whatever the start took is over; milliseconds. */
const SETTLED = 2_000

export type Limits = { readonly holdMs?: number; readonly headMs?: number }

/** Binds every address to one port, or none. Rejects with the system's error. */
export async function openListener(options: ListenOptions, limits: Limits = {}): Promise<Listener> {
  const connections = new Connections(options, limits)
  const servers: Server[] = []
  let port = options.port
  try {
    for (const host of options.addresses) {
      const server = net.createServer({ allowHalfOpen: true, noDelay: true, keepAlive: true }, (socket) =>
        connections.take(socket),
      )
      server.listen({ host, port, exclusive: true, backlog: 1024 })
      try {
        await once(server, 'listening')
      } catch (error) {
        const missing = ['EADDRNOTAVAIL', 'EAFNOSUPPORT'].includes(String((error as NodeJS.ErrnoException).code))
        if (missing && options.optional.includes(host)) continue
        throw error
      }
      server.on('error', () => {})
      servers.push(server)
      port = (server.address() as net.AddressInfo).port
    }
  } catch (error) {
    for (const server of servers) server.close()
    throw error
  }
  connections.names = options.names(port)
  setTimeout(collectAll, SETTLED).unref()
  return {
    port,
    addresses: servers.map((server) => (server.address() as net.AddressInfo).address),
    traffic: () => connections.traffic(),
    close: async () => {
      const closed = servers.map((server) => new Promise((resolve) => server.close(resolve)))
      connections.end()
      await Promise.all(closed)
    },
  }
}

const UNREAD = {
  late: [408, 'the request came too slowly'],
  oversized: [431, 'the headers of the request are too large'],
} as const

class Connections {
  names: ReturnType<ListenOptions['names']> = { hosts: [], origins: [] }
  readonly #options: ListenOptions
  readonly #limits: Limits
  readonly #open = new Set<Socket>()
  #total = 0
  #refused = 0
  #failed = 0
  #up = 0
  #down = 0

  constructor(options: ListenOptions, limits: Limits) {
    this.#options = options
    this.#limits = limits
  }

  traffic(): Traffic {
    let [up, down] = [this.#up, this.#down]
    for (const socket of this.#open) {
      up += socket.bytesRead
      down += socket.bytesWritten
    }
    const connections = {
      open: this.#open.size,
      total: this.#total,
      refused: this.#refused,
      failed: this.#failed,
    }
    return { connections, bytes: { up, down } }
  }

  end(): void {
    for (const socket of this.#open) socket.destroy()
  }

  take(socket: Socket): void {
    socket.on('error', () => {})
    this.#serve(socket).catch((error: unknown) => {
      socket.destroy()
      // A bug must not end the other connections, nor hide.
      process.emitWarning(error instanceof Error ? error : String(error))
    })
  }

  async #serve(socket: Socket): Promise<void> {
    const first = await firstRequest(socket, this.#limits.headMs)
    if (first.kind === 'gone') {
      socket.destroy()
      return
    }
    if (first.kind !== 'head') {
      const [status, message] = first.kind === 'malformed' ? [400, first.why] : UNREAD[first.kind]
      return answer(socket, refusalText({ status, code: 'UNSUPPORTED', message }))
    }
    const { head, bytes } = first
    const refusal = refusalOf(head, this.names.hosts, this.names.origins)
    if (refusal !== undefined) {
      this.#refused += 1
      return answer(socket, refusalText(refusal, head.method))
    }
    if (head.target === REPORT_PATH && head.method === 'GET')
      return answer(socket, responseText(200, this.#options.report(), head.method))
    this.#total += 1
    this.#open.add(socket)
    socket.once('close', () => {
      this.#open.delete(socket)
      this.#up += socket.bytesRead
      this.#down += socket.bytesWritten
    })
    await this.#forward(socket, head.method, bytes)
  }

  async #forward(socket: Socket, method: string, bytes: Buffer): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      const peer = await this.#connect(socket).catch((error: unknown) => {
        if (error instanceof RegctlError) return error
        // Who asked is gone: there is nobody to tell, and nothing to mend.
        if (socket.destroyed) return undefined
        throw error
      })
      if (peer === undefined) return
      if (peer instanceof RegctlError) {
        this.#failed += 1
        return answer(socket, unavailable([peer.message, ...peer.suggestions].join('; '), method))
      }
      if (socket.destroyed) {
        peer.destroy()
        return
      }
      peer.write(bytes)
      const outcome = await join(socket, peer)
      if (outcome.kind === 'closed') return
      peer.destroy()
      // Nothing but a head was sent, and asking twice is asking once: the client need not know.
      const repeatable = ['GET', 'HEAD'].includes(method) && socket.bytesRead === bytes.length
      if (!repeatable || attempt === ATTEMPTS) {
        this.#failed += 1
        const why = outcome.error?.message ?? 'it closed the connection without an answer'
        return answer(socket, unavailable(`the registry did not answer: ${why}`, method))
      }
      await pause(attempt * 200, undefined, { ref: false })
    }
  }

  async #connect(socket: Socket): Promise<Duplex> {
    const abort = new AbortController()
    const stop = (): void => abort.abort()
    const timer = setTimeout(stop, this.#limits.holdMs ?? HOLD)
    socket.once('close', stop)
    try {
      return await this.#options.connect(abort.signal)
    } finally {
      clearTimeout(timer)
      socket.off('close', stop)
    }
  }
}

const unavailable = (message: string, method: string): string =>
  refusalText({ status: 503, code: 'UNAVAILABLE', message }, method)

/** A request's body may still be on its way: closing with it unread resets the connection, and the answer with it. */
async function answer(socket: Socket, text: string): Promise<void> {
  socket.resume()
  socket.end(text)
  await Promise.race([once(socket, 'close'), pause(2_000, undefined, { ref: false })]).catch(() => {})
  socket.destroy()
}
