import type { Duplex } from 'node:stream'
import { RegctlError } from '../../errors.ts'
import type { ForwardPorts, Transport, TransportNews } from '../../ports/forward.ts'
import type { Clock } from '../../ports.ts'
import type { MeshIdentity } from './mesh-identity.ts'
import type { RegistryEntrance } from './registry-entrance.ts'

const PAUSE = 250
/** How soon after it is back the registry is found; milliseconds. */
const LOOK_EVERY = 1_000

export type MeshTransportOptions = {
  readonly mesh: ForwardPorts['mesh']
  readonly clock: Clock
  readonly entrance: RegistryEntrance
  readonly identity: MeshIdentity
  readonly sni: string
  /** Of the registry's proxy. */
  readonly principal: string
  readonly tell: (news: TransportNews) => void
}

/** mTLS of the developer's own to the registry's proxy, a connection for each. */
export class MeshTransport implements Transport {
  readonly mode = 'mesh'
  readonly #options: MeshTransportOptions
  readonly #end = new AbortController()
  readonly #forget: () => void
  readonly #done: Promise<void>
  #trouble: RegctlError | undefined
  #reached = false
  #through = ''
  #told: TransportNews | undefined
  #wasReady = false

  constructor(options: MeshTransportOptions) {
    this.#options = options
    this.#forget = options.identity.onChange(() => this.#tell())
    this.#done = this.#look()
  }

  async connect(signal: AbortSignal): Promise<Duplex> {
    const either = AbortSignal.any([signal, this.#end.signal])
    for (;;) {
      try {
        return await this.#open(either)
      } catch (error) {
        if (either.aborted || !(error instanceof RegctlError)) throw this.#trouble ?? error
        await this.#options.clock.sleep(PAUSE, either).catch(() => {
          throw error
        })
      }
    }
  }

  async close(): Promise<void> {
    this.#end.abort()
    this.#forget()
    const { identity, entrance } = this.#options
    await Promise.all([this.#done, identity.close(), entrance.close()])
  }

  async #open(signal: AbortSignal): Promise<Duplex> {
    const { mesh, entrance, identity } = this.#options
    try {
      const issued = await identity.ready(signal)
      const { name, address } = await entrance.path(signal)
      const to = address ?? (await entrance.open(signal))
      const stream = await mesh.secure(to, this.#options, issued, signal).catch((error: unknown) => {
        if (!signal.aborted) entrance.doubt(error)
        throw error
      })
      this.#through = name
      this.#take(undefined)
      return stream
    } catch (error) {
      if (error instanceof RegctlError && !signal.aborted) this.#take(error)
      throw error
    }
  }

  /** Looks for the registry where no client does: at the start, and while it is away. */
  async #look(): Promise<void> {
    const signal = this.#end.signal
    while (!signal.aborted) {
      if (!this.#reached)
        await this.#open(signal).then(
          (stream) => stream.destroy(),
          () => {},
        )
      await this.#options.clock.sleep(LOOK_EVERY, signal).catch(() => {})
    }
  }

  #take(trouble: RegctlError | undefined): void {
    this.#trouble = trouble
    this.#reached = trouble === undefined
    this.#tell()
  }

  #tell(): void {
    const { identity, tell } = this.#options
    const { current, trouble } = identity
    // The certificate comes first: without it nothing else was tried.
    const waits = current === undefined ? trouble : this.#trouble
    if (waits === undefined && !this.#reached) return
    const detail =
      waits?.message ??
      `mTLS as ${current?.principal} through ${this.#through}, certificate until ${timeOf(identity.expires)}${
        trouble === undefined ? '' : `; renewal fails: ${trouble.message}`
      }`
    const ready = waits === undefined
    if ((ready === this.#told?.ready && detail === this.#told.detail) || this.#end.signal.aborted) return
    const reconnected = ready && this.#wasReady && this.#told?.ready === false
    tell({ ready, detail, reconnected, ...(waits === undefined ? {} : { suggestions: waits.suggestions }) })
    this.#told = { ready, detail }
    this.#wasReady ||= ready
  }
}

const timeOf = (milliseconds: number): string => new Date(milliseconds).toISOString().slice(11, 19).concat(' UTC')
