import type { Duplex } from 'node:stream'
import type { IdentityMaterial, MeshTarget } from '../../domain/forward/identity.ts'
import type { ForwardPorts } from '../../ports/forward.ts'
import { type Gateway, type GatewayPath, isUnreachable, TRUSTED } from './gateway.ts'
import type { KnownAccess } from './mesh-access.ts'

/** How long the registry's own address has before the gateway is taken meanwhile; milliseconds. */
const HEAD_START = 300
const TRY_LIMIT = 5_000
const FIRST_PAUSE = 1_000
const LONGEST_PAUSE = 30_000

export type EntranceOptions = {
  readonly gateway: Gateway
  readonly access: KnownAccess
  /** False where a gateway was asked for: that is the only way then. */
  readonly direct: boolean
  readonly registry: Pick<MeshTarget, 'sni' | 'principal'>
  /** The developer's certificate, once there is one. */
  readonly certificate: () => IdentityMaterial | undefined
}

/** To the registry's proxy itself where it is reached from outside, which saves a hop, and by the gateway where not. */
export class RegistryEntrance {
  readonly #ports: Pick<ForwardPorts, 'mesh' | 'clock'>
  readonly #options: EntranceOptions
  readonly #end = new AbortController()
  #direct: GatewayPath | undefined
  #foundAt = 0
  #looking: Promise<void> | undefined
  #lookedAt = Number.NEGATIVE_INFINITY
  #pause = 0

  constructor(ports: Pick<ForwardPorts, 'mesh' | 'clock'>, options: EntranceOptions) {
    this.#ports = ports
    this.#options = options
  }

  async path(signal: AbortSignal): Promise<GatewayPath> {
    if (this.#direct === undefined) await this.#lookShortly(signal)
    return this.#direct ?? this.#options.gateway.path(signal)
  }

  async open(signal: AbortSignal): Promise<Duplex> {
    const path = await this.path(signal)
    if (path !== this.#direct) return this.#options.gateway.open(signal)
    try {
      return await path.open(signal)
    } catch (error) {
      if (!signal.aborted) this.#forget(path)
      throw error
    }
  }

  /** What answers there is not the registry's proxy: it may be somebody else by now. */
  doubt(error: unknown): void {
    if (this.#direct === undefined) this.#options.gateway.doubt(error)
    else if (isUnreachable(error) || Math.abs(this.#ports.clock.now() - this.#foundAt) >= TRUSTED)
      this.#forget(this.#direct)
  }

  async close(): Promise<void> {
    this.#end.abort()
    await Promise.all([this.#looking, this.#options.gateway.close()])
  }

  #forget(path: GatewayPath): void {
    if (this.#direct !== path) return
    this.#direct = undefined
    this.#pause = 0
  }

  /** Whoever waits does so for a moment only: the gateway is there as well. */
  async #lookShortly(signal: AbortSignal): Promise<void> {
    const { clock } = this.#ports
    this.#lookSometimes()
    if (this.#looking === undefined) return
    const over = new AbortController()
    const either = AbortSignal.any([signal, over.signal])
    await Promise.race([this.#looking, clock.sleep(HEAD_START, either).catch(() => {})])
    over.abort()
  }

  /** Ever less often while nobody answers. */
  #lookSometimes(): void {
    const { access, direct } = this.#options
    const now = this.#ports.clock.now()
    if (!direct || this.#end.signal.aborted || access.current.registryAddresses.length === 0) return
    if (this.#looking !== undefined || Math.abs(now - this.#lookedAt) < this.#pause) return
    this.#lookedAt = now
    this.#looking = this.#look().finally(() => {
      this.#looking = undefined
    })
  }

  async #look(): Promise<void> {
    const { access } = this.#options
    const signal = AbortSignal.any([this.#end.signal, AbortSignal.timeout(TRY_LIMIT)])
    const won = new AbortController()
    const either = AbortSignal.any([signal, won.signal])
    const { registryAddresses } = access.current
    try {
      this.#direct = await Promise.any(registryAddresses.map((address) => this.#tried(address, either)))
      this.#foundAt = this.#ports.clock.now()
      this.#pause = 0
    } catch {
      this.#pause = Math.min(Math.max(this.#pause * 2, FIRST_PAUSE), LONGEST_PAUSE)
      // It may be elsewhere by now.
      if (!this.#end.signal.aborted) await access.lookSoon()
    } finally {
      won.abort()
    }
  }

  /** Whatever accepts a connection is not the registry yet. */
  async #tried(address: string, signal: AbortSignal): Promise<GatewayPath> {
    const { mesh } = this.#ports
    const { registry, certificate } = this.#options
    const identity = certificate()
    if (identity === undefined) throw new Error('no certificate yet')
    const secured = await mesh.secure(address, registry, identity, signal)
    secured.destroy()
    return { name: `the registry's own address ${address}`, address, open: (later) => mesh.dial(address, later) }
  }
}
