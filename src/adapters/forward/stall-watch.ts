import type { Socket } from 'node:net'
import { hasStalled, inTheWay, type Watched, watched } from '../../domain/forward/stall.ts'

const EVERY = 250

/**
 * Looks after the streams of one `kubectl port-forward`: they share a connection without flow control of their own, so one
 * whose client takes nothing stops them all.
 */
export class StallWatch {
  readonly #timer: NodeJS.Timeout
  #seen = new Map<Socket, Watched>()
  #stalled = false

  constructor(streams: ReadonlySet<Socket>, onStall: () => void) {
    this.#timer = setInterval(() => {
      this.#look(streams)
      if (this.#stalled) onStall()
    }, EVERY)
    this.#timer.unref()
  }

  get stalled(): boolean {
    return this.#stalled
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  #look(streams: ReadonlySet<Socket>): void {
    const now = performance.now()
    const seen = new Map<Socket, Watched>()
    for (const stream of streams) {
      const { bytesRead: read, bytesWritten: written, readableFlowing } = stream
      seen.set(stream, watched(this.#seen.get(stream), { read, written, held: readableFlowing === false }, now))
    }
    this.#seen = seen
    this.#stalled = [...seen.values()].some((one) => hasStalled(one, now))
    for (const stream of inTheWay(seen, now)) stream.resetAndDestroy()
  }
}
