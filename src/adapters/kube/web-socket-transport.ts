import type { Duplex } from 'node:stream'
import type { KubeConfig, V1Pod } from '@kubernetes/client-node'
import { RegctlError } from '../../errors.ts'
import type { PodTarget, Transport, TransportNews } from '../../ports/forward.ts'
import type { Clock } from '../../ports.ts'
import { onWake } from '../forward/wake.ts'
import { openPort } from './port-forward.ts'
import type { PodSource } from './ready-pods.ts'

type Options = {
  readonly config: () => KubeConfig
  readonly target: PodTarget
  readonly pods: PodSource
  readonly clock: Clock
  readonly tell: (news: TransportNews) => void
}

type Spare = { readonly uid: string; readonly stream: Duplex; readonly timer: NodeJS.Timeout }

/** Connections made ahead while there is demand: each costs a TLS handshake and a hop to the kubelet. */
const SPARES = 3
const SPARE_LIFE = 8_000
const PAUSE = 250

/** One WebSocket to the API server for each connection, to the pod that is Ready then. */
export class WebSocketTransport implements Transport {
  readonly mode = 'port-forward'
  readonly #options: Options
  readonly #end = new AbortController()
  readonly #cleanups: (() => void)[] = []
  readonly #open = new Set<Duplex>()
  #spares: Spare[] = []
  #making = 0
  #config: KubeConfig
  #told: string | undefined
  #connected = false

  constructor(options: Options) {
    this.#options = options
    this.#config = options.config()
    const wake = (): void => {
      this.#dropSpares()
      options.pods.refresh()
    }
    this.#cleanups.push(
      onWake(wake),
      options.pods.onChange(() => this.#follow()),
    )
    queueMicrotask(() => this.#follow())
  }

  async connect(signal: AbortSignal): Promise<Duplex> {
    const either = AbortSignal.any([signal, this.#end.signal])
    for (;;) {
      const pod = await this.#options.pods.ready(either)
      const spare = this.#takeSpare(pod)
      if (spare !== undefined) return spare
      try {
        const stream = await this.#openTo(pod, either)
        this.#makeSpares(pod)
        return stream
      } catch (error) {
        if (!(error instanceof RegctlError)) throw this.#options.pods.trouble
        if (either.aborted || ['FORBIDDEN', 'NOT_ADMITTED'].includes(error.code)) throw error
        if (['UNAUTHORIZED', 'CREDENTIALS'].includes(error.code)) this.#renew()
        this.#tell({ ready: false, detail: error.message, suggestions: error.suggestions })
        await this.#options.clock.sleep(PAUSE, either).catch(() => {
          throw error
        })
      }
    }
  }

  async close(): Promise<void> {
    this.#end.abort()
    for (const cleanup of this.#cleanups) cleanup()
    this.#options.pods.close()
    this.#dropSpares()
    for (const stream of this.#open) stream.destroy()
  }

  async #openTo(pod: V1Pod, signal: AbortSignal): Promise<Duplex> {
    const { namespace, port } = this.#options.target
    const stream = await openPort(this.#config, namespace, pod.metadata?.name ?? '', port, signal)
    this.#open.add(stream)
    stream.once('close', () => this.#open.delete(stream))
    this.#follow()
    return stream
  }

  #takeSpare(pod: V1Pod): Duplex | undefined {
    const at = this.#spares.findIndex(({ uid, stream }) => uid === pod.metadata?.uid && !gone(stream))
    const [spare] = at < 0 ? [] : this.#spares.splice(at, 1)
    if (spare === undefined) return undefined
    clearTimeout(spare.timer)
    this.#makeSpares(pod)
    return spare.stream
  }

  #makeSpares(pod: V1Pod): void {
    while (this.#spares.length + this.#making < SPARES && !this.#end.signal.aborted) {
      this.#making += 1
      void this.#makeSpare(pod)
    }
  }

  async #makeSpare(pod: V1Pod): Promise<void> {
    try {
      const stream = await this.#openTo(pod, this.#end.signal)
      const timer = setTimeout(() => this.#drop(spare), SPARE_LIFE)
      timer.unref()
      const spare = { uid: pod.metadata?.uid ?? '', stream, timer }
      this.#spares.push(spare)
    } catch {
      // The connection that needs one makes its own, and its error counts.
    } finally {
      this.#making -= 1
    }
  }

  #drop(spare: Spare): void {
    this.#spares = this.#spares.filter((one) => one !== spare)
    clearTimeout(spare.timer)
    spare.stream.destroy()
  }

  #dropSpares(): void {
    for (const spare of this.#spares) this.#drop(spare)
  }

  #follow(): void {
    const { pods } = this.#options
    const pod = pods.current
    const { message: detail, suggestions } = pods.trouble
    if (pod === undefined) this.#tell({ ready: false, detail, suggestions })
    else this.#tell({ ready: true, detail: `WebSockets to pod ${pod.metadata?.name}` })
  }

  #tell(news: TransportNews): void {
    const text = `${news.ready} ${news.detail}`
    if (text === this.#told || this.#end.signal.aborted) return
    this.#told = text
    this.#options.tell({ ...news, reconnected: news.ready && this.#connected })
    if (news.ready) this.#connected = true
  }

  #renew(): void {
    try {
      this.#config = this.#options.config()
    } catch (error) {
      if (!(error instanceof RegctlError)) throw error
    }
  }
}

const gone = (stream: Duplex): boolean => stream.destroyed || stream.readableEnded || stream.writableEnded
