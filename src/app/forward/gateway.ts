import type { Duplex } from 'node:stream'
import type { IdentityMaterial, MeshTarget } from '../../domain/forward/identity.ts'
import type { TransportChoice } from '../../domain/forward/mode.ts'
import { INGRESS, INGRESS_PORT, ingressNamespace } from '../../domain/installation.ts'
import type { DeveloperAccess } from '../../domain/stack/developer-access.ts'
import { clusterError, RegctlError } from '../../errors.ts'
import type { ForwardPorts, Transport } from '../../ports/forward.ts'
import type { KnownAccess } from './mesh-access.ts'

/** How long an address has before the next one is tried beside it; milliseconds. */
const HEAD_START = 300
const TRY_LIMIT = 8_000
/** A way that was found this short a time ago is not looked for again; milliseconds. */
export const TRUSTED = 2_000

/** One way to the developers' gateway. `address` is absent where only a port-forward to its pod leads there. */
export type GatewayPath = {
  readonly name: string
  readonly address?: string
  open(signal: AbortSignal): Promise<Duplex>
}

export type GatewayOptions = {
  /** The registry's namespace. */
  readonly namespace: string
  readonly access: KnownAccess
  /** `HOST:PORT` that was asked for: the only way then. */
  readonly address?: string
  /** What carries a port-forward. */
  readonly transport: TransportChoice
  readonly registry: Pick<MeshTarget, 'sni' | 'principal'>
  /** The developer's certificate, once there is one. */
  readonly certificate: () => IdentityMaterial | undefined
  /** How long one may say nothing. */
  readonly tryMs?: number
}

/** There is nobody at all. */
export const isUnreachable = (error: unknown): boolean =>
  error instanceof RegctlError && error.code === 'GATEWAY_UNREACHABLE'

/** Shows that a connection leads through the gateway, and uses it up. */
type Proof = (connection: Duplex, signal: AbortSignal) => Promise<void>

/** Finds how the developers' gateway is reached, and finds another way when that one fails. */
export class Gateway {
  readonly #ports: ForwardPorts
  readonly #options: GatewayOptions
  readonly #end = new AbortController()
  #found: Promise<GatewayPath> | undefined
  /** Undefined while it is looked for. */
  #foundAt: number | undefined
  #searched = false
  #transport: Transport | undefined
  #failedProbes = 0

  constructor(ports: ForwardPorts, options: GatewayOptions) {
    this.#ports = ports
    this.#options = options
  }

  /** The way that worked last, or the first that works now. */
  path(signal: AbortSignal): Promise<GatewayPath> {
    this.#found ??= this.#search()
    return unlessAborted(this.#found, signal)
  }

  async open(signal: AbortSignal): Promise<Duplex> {
    const path = await this.path(signal)
    const found = this.#found
    try {
      return await path.open(signal)
    } catch (error) {
      // A client that went away says nothing of the gateway.
      if (!signal.aborted) this.#forget(found)
      throw error
    }
  }

  /** What answers there does not lead on: it may be somebody else by now. The next one to ask looks again. */
  doubt(error?: unknown): void {
    const { clock } = this.#ports
    if (isUnreachable(error)) this.#forget(this.#found)
    else if (this.#foundAt !== undefined && Math.abs(clock.now() - this.#foundAt) >= TRUSTED) this.#forget(this.#found)
  }

  async close(): Promise<void> {
    this.#end.abort()
    await this.#transport?.close()
  }

  /** The next one to ask looks again. */
  #forget(found: Promise<GatewayPath> | undefined): void {
    if (this.#found !== found) return
    this.#found = undefined
    this.#foundAt = undefined
  }

  /** One search serves all who wait, so it ends with none of them. */
  #search(): Promise<GatewayPath> {
    const found = this.#find()
    found.then(
      () => {
        if (this.#found === found) this.#foundAt = this.#ports.clock.now()
      },
      () => this.#forget(found),
    )
    return found
  }

  async #find(): Promise<GatewayPath> {
    const { access, address } = this.#options
    const failures: string[] = []
    const before = access.current
    const moved = new AbortController()
    // It may be elsewhere, or the mesh have other roots by now.
    const looked = this.#searched
      ? access.lookSoon().then(() => {
          if (access.current !== before) moved.abort()
        })
      : undefined
    looked?.catch(() => {})
    this.#searched = true
    let found = await this.#first(before, failures, moved.signal)
    if (found === undefined) await looked
    if (found === undefined && moved.signal.aborted) found = await this.#first(access.current, failures)
    this.#end.signal.throwIfAborted()
    const path = found ?? (address === undefined ? await this.#forwarded() : undefined)
    if (path !== undefined) return path
    throw this.#unreachable(failures)
  }

  /** Several are tried side by side, each a little later than the one before: the first that is the gateway. */
  async #first(
    access: DeveloperAccess,
    failures: string[],
    moved = new AbortController().signal,
  ): Promise<GatewayPath | undefined> {
    const { tryMs = TRY_LIMIT } = this.#options
    const signal = AbortSignal.any([this.#end.signal, AbortSignal.timeout(tryMs), moved])
    const won = new AbortController()
    const either = AbortSignal.any([signal, won.signal])
    failures.length = 0
    const addresses = this.#addresses(access)
    const tries = addresses.map(async (address, index) => {
      try {
        if (index > 0) await this.#ports.clock.sleep(index * HEAD_START, either)
        return await this.#tried(address, either)
      } catch (error) {
        const silent = signal.aborted ? `no answer from ${address}` : undefined
        failures.push(silent ?? (error instanceof Error ? error.message : String(error)))
        throw error
      }
    })
    try {
      return await Promise.any(tries)
    } catch {
      return undefined
    } finally {
      won.abort()
    }
  }

  /** Whatever accepts a connection is not the gateway yet. */
  async #tried(address: string, signal: AbortSignal): Promise<GatewayPath> {
    const { mesh } = this.#ports
    const proven = new AbortController()
    const either = AbortSignal.any([signal, proven.signal])
    const tries = this.#proofs().map(async (proof) => proof(await mesh.dial(address, either), either))
    try {
      await Promise.any(tries)
    } catch {
      await tries[0]
    } finally {
      proven.abort()
    }
    return { name: `gateway ${address}`, address, open: (later) => mesh.dial(address, later) }
  }

  /** The mesh's authority answers behind it, or the registry: the one may be away while the other serves. */
  #proofs(): readonly [Proof, ...Proof[]] {
    const { mesh } = this.#ports
    const { access, registry, certificate } = this.#options
    const identity = certificate()
    const byRegistry: Proof | undefined =
      identity &&
      (async (connection, signal) => {
        const secured = await mesh.secure(connection, registry, identity, signal)
        secured.destroy()
        connection.destroy()
      })
    return [
      (connection, signal) => mesh.greet(connection, access.authority, signal),
      ...(byRegistry === undefined ? [] : [byRegistry]),
    ]
  }

  /** Has one connection, so the proof that failed is not the next one to be tried. */
  async #probe(stream: Duplex, signal: AbortSignal): Promise<void> {
    const proofs = this.#proofs()
    const proof = proofs[this.#failedProbes % proofs.length] ?? proofs[0]
    try {
      await proof(stream, signal)
    } catch (error) {
      this.#failedProbes += 1
      throw error
    }
  }

  /** Through the API server, where that is allowed; undefined where not. */
  async #forwarded(): Promise<GatewayPath | undefined> {
    const { kube, forwards } = this.#ports
    const namespace = ingressNamespace(this.#options)
    const right = { verb: 'create', group: '', resource: 'pods', subresource: 'portforward', namespace }
    if (this.#transport === undefined) {
      if (!(await kube.can(right))) return undefined
      const target = {
        namespace,
        selector: `app=${INGRESS}`,
        port: INGRESS_PORT,
        probe: (stream: Duplex, signal: AbortSignal) => this.#probe(stream, signal),
      }
      const kubectl = this.#options.transport !== 'websocket' && (await forwards.kubectlFound())
      this.#end.signal.throwIfAborted()
      this.#transport = kubectl ? forwards.kubectl(target, () => {}) : forwards.webSockets(target, () => {})
    }
    const transport = this.#transport
    return { name: 'a port-forward to the gateway', open: (signal) => transport.connect(signal) }
  }

  #addresses({ addresses }: DeveloperAccess): readonly string[] {
    const { address } = this.#options
    return address === undefined ? addresses : [address]
  }

  #unreachable(failures: readonly string[]): RegctlError {
    const addresses = this.#addresses(this.#options.access.current)
    const tried = addresses.length === 0 ? 'it has no address' : [...new Set(failures)].join('; ')
    return clusterError('GATEWAY_UNREACHABLE', `cannot reach the developers' gateway: ${tried}`, {
      suggestions: [
        'regctl dev-forward --gateway HOST:PORT',
        'ask whoever may: regctl grant NAMESPACE REPOSITORY --developer user:YOU --allow-gateway-forward',
      ],
      details: { addresses },
    })
  }
}

/** What is waited for goes on without who gave up. */
async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>()
  const stop = (): void => reject(signal.reason)
  signal.addEventListener('abort', stop, { once: true })
  if (signal.aborted) stop()
  try {
    return await Promise.race([promise, aborted])
  } finally {
    signal.removeEventListener('abort', stop)
  }
}
