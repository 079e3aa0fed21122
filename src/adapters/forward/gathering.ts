import type { Duplex } from 'node:stream'

/**
 * What a TLS record is read into, one place for all connections: it is copied on before the next one comes. A stream would make a buffer and
 * a write of each record of 16 KiB, which costs twice as much (Node 22).
 */
const landing = Buffer.allocUnsafeSlow(64 * 1024)
/** Records of one turn go on together, in at most this. */
const SIZE = 128 * 1024
const MOST_SPARE = 4
const spare: Buffer[] = []

const gatherings = new WeakMap<Duplex, Gathering>()

export const gatheringOf = (stream: Duplex): Gathering | undefined => gatherings.get(stream)

/** Carries what a socket reads, past its stream. */
export class Gathering {
  /** For the options the socket is made with. */
  readonly onread = { buffer: landing, callback: (bytes: number): boolean => this.#take(bytes) }
  /** What came before there was anybody to take it. */
  readonly #early: Buffer[] = []
  #from: Duplex | undefined
  #to: Duplex | undefined
  #seen: () => void = () => {}
  #gathered: Buffer | undefined
  #end = 0
  #paused = false

  of(socket: Duplex): void {
    this.#from = socket
    gatherings.set(socket, this)
  }

  /** From now on, with back-pressure. `seen` is called for whatever comes. */
  pour(to: Duplex, seen: () => void): void {
    this.#to = to
    this.#seen = seen
    const pass = (): void => this.#pass()
    // Whoever listens there ends what this still has to be written to.
    this.#from?.prependListener('end', pass).prependListener('close', pass)
    for (const bytes of this.#early.splice(0)) {
      seen()
      to.write(bytes)
    }
    this.#from?.resume()
  }

  /** Says whether more may come. */
  #take(bytes: number): boolean {
    const record = landing.subarray(0, bytes)
    if (this.#to === undefined) {
      this.#early.push(Buffer.from(record))
      return false
    }
    this.#seen()
    if (this.#end + bytes > SIZE) this.#pass()
    if (this.#end === 0) setImmediate(() => this.#pass())
    this.#gathered ??= spare.pop() ?? Buffer.allocUnsafeSlow(SIZE)
    record.copy(this.#gathered, this.#end)
    this.#end += bytes
    return !this.#paused
  }

  #pass(): void {
    const [whole, to] = [this.#gathered, this.#to]
    if (whole === undefined || to === undefined || this.#end === 0) return
    const part = whole.subarray(0, this.#end)
    this.#gathered = undefined
    this.#end = 0
    to.write(part, () => {
      if (spare.length < MOST_SPARE) spare.push(whole)
      if (this.#paused && to.writableLength === 0) this.#flow()
    })
    // What the system took at once is gone by now.
    if (to.writableLength === 0 || this.#paused) return
    this.#paused = true
    this.#from?.pause()
  }

  #flow(): void {
    this.#paused = false
    this.#from?.resume()
  }
}
