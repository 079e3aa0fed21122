import { once } from 'node:events'
import net, { type NetConnectOpts, type Socket } from 'node:net'
import type { V1Pod } from '@kubernetes/client-node'
import { type Supervised, supervise } from '../exec.ts'
import { forwardedPort, type KubectlTarget, kubectlTrouble, portForwardArgs, portForwardEnv } from '../kubectl.ts'
import { Gathering } from './gathering.ts'
import { ownAddress } from './own-address.ts'
import { StallWatch } from './stall-watch.ts'

const START_LIMIT = 20_000

/** One run of `kubectl port-forward`. */
export class KubectlChild {
  readonly pod: V1Pod
  readonly startedAt = Date.now()
  /** Resolves to why it ended. */
  readonly ended: Promise<string>
  readonly #address: string
  readonly #process: Supervised
  readonly #streams = new Set<Socket>()
  readonly #listening: Promise<void>
  readonly #watch: StallWatch
  #listens: () => void = () => {}
  #port = 0
  #alive = true
  #retired = false

  constructor(
    kubectl: string,
    target: KubectlTarget,
    pod: V1Pod,
    port: number,
    onStall: (child: KubectlChild) => void,
  ) {
    this.pod = pod
    this.#watch = new StallWatch(this.#streams, () => onStall(this))
    this.#address = ownAddress(process.platform)
    this.#listening = new Promise((resolve) => {
      this.#listens = resolve
    })
    const args = portForwardArgs(target, pod.metadata?.name ?? '', port, this.#address)
    let said = ''
    const take = (text: string): void => {
      // It says a line about every connection; only the first one counts.
      if (this.#port !== 0) return
      said += text
      this.#port = forwardedPort(said) ?? 0
      if (this.#port !== 0) this.#listens()
    }
    this.#process = supervise([kubectl, ...args], take, portForwardEnv(process.env))
    this.ended = this.#process.ended.then(({ stderr }) => {
      this.#alive = false
      this.#watch.stop()
      // What is left of its streams hangs on nothing any more.
      for (const stream of this.#streams) stream.destroy()
      return kubectlTrouble(stderr)
    })
  }

  get alive(): boolean {
    return this.#alive && !this.#retired
  }

  get retired(): boolean {
    return this.#retired
  }

  /** A client takes nothing, and whoever else comes this way waits for it. */
  get stalled(): boolean {
    return this.#watch.stalled
  }

  /** Bytes moved so far by connections that are open. */
  get moved(): number {
    let sum = 0
    for (const stream of this.#streams) sum += stream.bytesRead + stream.bytesWritten
    return sum
  }

  /** Resolves once it listens; false when it ended or took too long. */
  async listening(): Promise<boolean> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<false>((resolve) => {
      timer = setTimeout(() => resolve(false), START_LIMIT)
    })
    const ready = await Promise.race([this.#listening.then(() => true), late, this.ended.then(() => false)])
    clearTimeout(timer)
    if (!ready) this.stop()
    return ready
  }

  /** For bytes to be carried on: nobody else can read it. */
  async carrier(signal: AbortSignal): Promise<Socket> {
    const gathering = new Gathering()
    const socket = await this.open(signal, { onread: gathering.onread })
    gathering.of(socket)
    return socket
  }

  async open(signal: AbortSignal, options: Pick<NetConnectOpts, 'onread'> = {}): Promise<Socket> {
    const to = { host: this.#address, port: this.#port, noDelay: true, allowHalfOpen: true }
    const socket = net.connect({ ...to, ...options })
    try {
      await once(socket, 'connect', { signal })
    } catch (error) {
      socket.destroy()
      throw error
    }
    this.#streams.add(socket)
    socket.once('close', () => {
      this.#streams.delete(socket)
      if (this.#retired && this.#streams.size === 0) this.stop()
    })
    return socket
  }

  /** Takes no new connections and ends with its last. */
  retire(): void {
    this.#retired = true
    if (this.#streams.size === 0) this.stop()
  }

  stop(): void {
    this.#process.stop()
  }
}
