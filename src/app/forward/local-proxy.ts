import { type Engine, removeContainersArgs, runProxyArgs } from '../../domain/forward/container.ts'
import type { Traffic } from '../../domain/forward/forward-report.ts'
import { type Place, placeOf } from '../../domain/forward/place.ts'
import type { ForwardPorts, Listener, Relay, RunningContainer, TransportNews } from '../../ports/forward.ts'
import { sweepContainers } from './engine.ts'
import { type Bound, freePort } from './free-port.ts'
import { KeptContainer } from './kept-container.ts'
import type { KnownMesh, OpenMesh } from './mesh.ts'
import { ProxyFiles } from './proxy-files.ts'
import { ProxyMeter } from './proxy-meter.ts'
import type { ServeOptions } from './way.ts'

const RETRY = 1_000

type Options = {
  readonly ports: ForwardPorts
  readonly engine: Engine
  readonly image: string
  readonly mesh: KnownMesh
  readonly options: ServeOptions
  readonly tell: (news: TransportNews) => void
}

/**
 * Envoy in a container has the port and carries the bytes. Mesh mode's own transport goes ahead: it finds the gateway, checks
 * the registry and tells what is missing.
 */
export class LocalProxy implements Listener {
  readonly port: number
  readonly addresses: readonly string[]
  readonly #options: Options
  readonly #name: string
  readonly #files: ProxyFiles
  readonly #mesh: OpenMesh
  readonly #meter: ProxyMeter
  readonly #container: KeptContainer
  readonly #end = new AbortController()
  readonly #forget: () => void
  #relay: Promise<Relay> | undefined
  #ahead: TransportNews = { ready: false, detail: 'looking for the registry' }
  #looking = false
  #ready = false
  #wasReady = false
  #work = Promise.resolve()

  /** @throws conflict error PORT_TAKEN, precondition errors NO_DIRECTORY and PROXY_FAILED */
  static async open(options: Options): Promise<LocalProxy> {
    const { ports, engine, mesh } = options
    // What is left of another has its port, too.
    await sweepContainers(ports, engine)
    const bound = await freePort(ports, options.options)
    const names = options.options.names(bound.port)
    let proxy: LocalProxy | undefined
    const files = await ProxyFiles.open(ports.containers, { ...bound, names }, mesh.target, async () => {
      await proxy?.count()
      return options.options.report()
    })
    proxy = new LocalProxy(options, bound, files, await ports.containers.owner())
    const container = proxy.#container
    const stop = (): void => void container.close()
    ports.signal.addEventListener('abort', stop)
    try {
      await container.started
      return proxy
    } catch (error) {
      await proxy.close()
      ports.signal.throwIfAborted()
      // Somebody else may have been faster.
      await freePort(ports, { ...options.options, port: bound.port })
      throw error
    } finally {
      ports.signal.removeEventListener('abort', stop)
    }
  }

  private constructor(options: Options, bound: Bound, files: ProxyFiles, owner: string) {
    const { ports, engine, image, mesh } = options
    const { programs, clock, containers } = ports
    this.#options = options
    this.port = bound.port
    this.addresses = bound.addresses
    this.#files = files
    this.#name = `regctl-proxy-${bound.port}-${process.pid}`
    const container = {
      name: this.#name,
      image,
      directories: files.directories,
      owner,
      user: `${process.getuid?.()}:${process.getgid?.()}`,
    }
    const run = (): RunningContainer =>
      containers.run(
        [engine.name, ...runProxyArgs(engine, container)],
        [engine.name, ...removeContainersArgs(this.#name)],
      )
    this.#mesh = mesh.open((news) => {
      this.#ahead = news
      this.#settle()
    })
    this.#forget = this.#mesh.identity.onChange(() => this.#settle())
    this.#meter = new ProxyMeter({ programs, clock, socket: files.adminSocket, failing: () => void this.#lookAgain() })
    const answers = async () => (await programs.askSocket(files.adminSocket, '/ready'))?.status === 200
    const changed = (): void => {
      if (this.#container.trouble !== undefined) this.#meter.startAnew()
      this.#settle()
    }
    this.#container = new KeptContainer({ clock, run, answers, changed })
  }

  traffic(): Traffic {
    return this.#meter.traffic
  }

  count(): Promise<void> {
    return this.#meter.read()
  }

  async close(): Promise<void> {
    this.#end.abort()
    this.#forget()
    try {
      await Promise.all([this.#meter.close(), this.#container.close(), this.#mesh.transport.close()])
      await this.#work
      const relay = await this.#relay?.catch(() => undefined)
      await relay?.close()
    } finally {
      await this.#files.remove()
    }
  }

  /** One after the other: what was written last is what is known last. */
  #settle(): void {
    this.#work = this.#work.then(() => this.#take())
  }

  /** What failed on this machine changes by itself, if at all. */
  #settleLater(): void {
    const { clock } = this.#options.ports
    clock.sleep(RETRY, this.#end.signal).then(
      () => this.#settle(),
      () => {},
    )
  }

  async #take(): Promise<void> {
    if (this.#end.signal.aborted) return
    const news = await this.#news().catch((error: unknown) => {
      this.#settleLater()
      return { ready: false, detail: (error as Error).message }
    })
    if (this.#end.signal.aborted) return
    const reconnected = news.ready && !this.#ready && this.#wasReady
    this.#ready = news.ready
    this.#wasReady ||= news.ready
    this.#options.tell({ ...news, reconnected })
  }

  async #news(): Promise<TransportNews> {
    const { identity } = this.#mesh
    if (identity.current !== undefined) await this.#files.become(identity.current)
    const detail = this.#container.trouble
    if (detail !== undefined) return { ready: false, detail, suggestions: ['regctl dev-forward --mode mesh'] }
    if (!this.#ahead.ready) return this.#ahead
    await this.#files.leadTo(await this.#entrance())
    const over = `Envoy in ${this.#options.engine.name} container ${this.#name}`
    return { ready: true, detail: `${over}: ${this.#ahead.detail}` }
  }

  async #entrance(): Promise<Place> {
    const { entrance } = this.#mesh
    const { address } = await entrance.path(this.#end.signal)
    if (address !== undefined) return placeOf(address)
    const relay = this.#relay ?? this.#options.ports.listeners.relay((signal) => entrance.open(signal))
    this.#relay = relay
    try {
      return await relay
    } catch (error) {
      this.#relay = undefined
      throw error
    }
  }

  /** Envoy's connections fail. Mesh mode's tells why, and goes on until one succeeds. */
  async #lookAgain(): Promise<void> {
    if (this.#looking) return
    this.#looking = true
    await this.#mesh.transport.connect(this.#end.signal).then(
      (stream) => stream.destroy(),
      () => {},
    )
    this.#looking = false
    // The gateway may be elsewhere now, by the same words.
    this.#settle()
  }
}
