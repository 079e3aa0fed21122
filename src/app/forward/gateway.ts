import type { Duplex } from 'node:stream'
import type { TransportChoice } from '../../domain/forward/mode.ts'
import { INGRESS, INGRESS_PORT, ingressNamespace } from '../../domain/installation.ts'
import { clusterError, type RegctlError } from '../../errors.ts'
import type { ForwardPorts, Transport } from '../../ports.ts'
import type { KnownAccess } from './mesh-access.ts'

/** How long an address has before the next one is tried beside it; milliseconds. */
const HEAD_START = 300
const TRY_LIMIT = 8_000

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
  /** How long one may say nothing. */
  readonly tryMs?: number
}

/** Finds how the developers' gateway is reached, and finds another way when that one fails. */
export class Gateway {
  readonly #ports: ForwardPorts
  readonly #options: GatewayOptions
  readonly #end = new AbortController()
  #found: Promise<GatewayPath> | undefined
  #transport: Transport | undefined

  constructor(ports: ForwardPorts, options: GatewayOptions) {
    this.#ports = ports
    this.#options = options
  }

  /** The way that worked last, or the first that works now. */
  path(signal: AbortSignal): Promise<GatewayPath> {
    const found = this.#found ?? this.#find()
    this.#found = found
    found.catch(() => this.#forget(found))
    return unlessAborted(found, signal)
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

  async close(): Promise<void> {
    this.#end.abort()
    await this.#transport?.close()
  }

  /** The next one to ask looks again. */
  #forget(found: Promise<GatewayPath> | undefined): void {
    if (this.#found === found) this.#found = undefined
  }

  /** One search serves all who wait, so it ends with none of them. */
  async #find(): Promise<GatewayPath> {
    const { access, address, tryMs = TRY_LIMIT } = this.#options
    const addresses = address === undefined ? access.current.addresses : [address]
    const failures: string[] = []
    const limit = AbortSignal.any([this.#end.signal, AbortSignal.timeout(tryMs)])
    const found = await this.#first(addresses, limit, failures)
    this.#end.signal.throwIfAborted()
    if (found !== undefined) return found
    const path = address === undefined ? await this.#forwarded() : undefined
    if (path !== undefined) return path
    throw this.#unreachable(addresses, failures)
  }

  /** Several are tried side by side, each a little later than the one before: the first that is the gateway. */
  async #first(
    addresses: readonly string[],
    signal: AbortSignal,
    failures: string[],
  ): Promise<GatewayPath | undefined> {
    const won = new AbortController()
    const either = AbortSignal.any([signal, won.signal])
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

  /** Whatever accepts a connection is not the gateway yet: the mesh's authority has to answer behind it. */
  async #tried(address: string, signal: AbortSignal): Promise<GatewayPath> {
    const { mesh } = this.#ports
    await mesh.greet(await mesh.dial(address, signal), this.#options.access.authority, signal)
    return { name: `gateway ${address}`, address, open: (later) => mesh.dial(address, later) }
  }

  /** Through the API server, where that is allowed; undefined where not. */
  async #forwarded(): Promise<GatewayPath | undefined> {
    const { kube, forwards, mesh } = this.#ports
    const namespace = ingressNamespace(this.#options)
    const right = { verb: 'create', group: '', resource: 'pods', subresource: 'portforward', namespace }
    if (this.#transport === undefined) {
      if (!(await kube.can(right))) return undefined
      const target = {
        namespace,
        selector: `app=${INGRESS}`,
        port: INGRESS_PORT,
        probe: (stream: Duplex, signal: AbortSignal) => mesh.greet(stream, this.#options.access.authority, signal),
      }
      const kubectl = this.#options.transport !== 'websocket' && (await forwards.kubectlFound())
      this.#end.signal.throwIfAborted()
      this.#transport = kubectl ? forwards.kubectl(target, () => {}) : forwards.webSockets(target, () => {})
    }
    const transport = this.#transport
    return { name: 'a port-forward to the gateway', open: (signal) => transport.connect(signal) }
  }

  #unreachable(addresses: readonly string[], failures: readonly string[]): RegctlError {
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
