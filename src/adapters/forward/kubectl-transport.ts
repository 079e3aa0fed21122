import type { Duplex } from 'node:stream'
import { Changes } from '../../domain/changes.ts'
import { failuresAfter, pauseAfter } from '../../domain/forward/backoff.ts'
import { clusterError } from '../../errors.ts'
import type { PodTarget, Transport, TransportNews } from '../../ports/forward.ts'
import type { Clock } from '../../ports.ts'
import { requestOver } from '../kube/http-over-stream.ts'
import type { PodSource } from '../kube/ready-pods.ts'
import type { KubectlTarget } from '../kubectl.ts'
import { KubectlChild } from './kubectl-child.ts'
import { onWake } from './wake.ts'

type Options = {
  readonly kubectl: string
  readonly target: PodTarget & KubectlTarget
  readonly pods: PodSource
  readonly clock: Clock
  readonly tell: (news: TransportNews) => void
}

/** Also keeps load balancers from dropping an idle tunnel. */
const PROBE_EVERY = 30_000
const PROBE_LIMIT = 5_000
/** How many may be left to clients that take nothing. */
const HELD_UP = 3

/** `kubectl port-forward`, started anew whenever it ends, for the pod that is Ready then. */
export class KubectlTransport implements Transport {
  readonly mode = 'port-forward'
  readonly #options: Options
  readonly #end = new AbortController()
  readonly #cleanups: (() => void)[] = []
  readonly #children = new Set<KubectlChild>()
  readonly #changes = new Changes()
  readonly #done: Promise<void>
  #current: KubectlChild | undefined
  #trouble = 'kubectl port-forward has not started yet'

  constructor(options: Options) {
    this.#options = options
    this.#done = this.#run()
    const probes = setInterval(() => void this.#probe(2), PROBE_EVERY)
    probes.unref()
    const wake = (): void => {
      options.pods.refresh()
      void this.#probe(1)
    }
    this.#cleanups.push(
      onWake(wake),
      options.pods.onChange(() => this.#follow()),
      () => clearInterval(probes),
    )
  }

  async connect(signal: AbortSignal): Promise<Duplex> {
    for (;;) {
      const child = this.#current
      const stream = child?.alive === true ? await child.carrier(signal).catch(() => undefined) : undefined
      if (stream !== undefined) return stream
      if (signal.aborted || this.#end.signal.aborted) throw this.#unreachable()
      await this.#changes.next(signal)
    }
  }

  async close(): Promise<void> {
    this.#end.abort()
    for (const cleanup of this.#cleanups) cleanup()
    this.#options.pods.close()
    for (const child of this.#children) child.stop()
    this.#changes.tell()
    await Promise.all([this.#done, ...[...this.#children].map(({ ended }) => ended)])
  }

  async #run(): Promise<void> {
    const { pods, clock } = this.#options
    const signal = this.#end.signal
    let failures = 0
    let connected = false
    while (!signal.aborted) {
      if (pods.current === undefined) {
        this.#waitingFor(pods.trouble.message, pods.trouble.suggestions)
        const forget = pods.onChange(() => {
          if (pods.current === undefined) this.#waitingFor(pods.trouble.message, pods.trouble.suggestions)
        })
        await pods.ready(signal).catch(() => undefined)
        forget()
      }
      const pod = pods.current
      if (pod === undefined) continue
      const child = this.#start(pod)
      if (await child.listening()) {
        this.#current = child
        this.#options.tell({
          ready: true,
          detail: `kubectl port-forward to pod ${pod.metadata?.name}`,
          reconnected: connected,
        })
        connected = true
        this.#changes.tell()
        await Promise.race([child.ended, this.#retirement(child)])
      }
      if (this.#current === child) this.#current = undefined
      if (signal.aborted) break
      if (child.retired) continue
      this.#waitingFor(`kubectl port-forward ended: ${await child.ended}`)
      failures = failuresAfter(failures, Date.now() - child.startedAt)
      await clock.sleep(pauseAfter(failures), signal).catch(() => {})
    }
  }

  #start(pod: ConstructorParameters<typeof KubectlChild>[2]): KubectlChild {
    const { kubectl, target } = this.#options
    const child = new KubectlChild(kubectl, target, pod, target.port, (stalled) => this.#avoid(stalled))
    this.#children.add(child)
    void child.ended.then(() => this.#children.delete(child))
    return child
  }

  /** The pod goes: what runs may end in peace, what comes needs the next pod. */
  #follow(): void {
    const child = this.#current
    if (child === undefined || this.#options.pods.stays(child.pod)) return
    this.#retire(child)
  }

  /** A client holds it up: what comes gets the next one, what stalls may stay for as long as few do. */
  #avoid(child: KubectlChild): void {
    if (!child.retired) this.#retire(child)
    const held = [...this.#children].filter(({ retired, stalled }) => retired && stalled)
    for (const oldest of held.slice(0, -HELD_UP)) oldest.stop()
  }

  #retire(child: KubectlChild): void {
    if (this.#current === child) this.#current = undefined
    child.retire()
    this.#changes.tell()
  }

  async #retirement(child: KubectlChild): Promise<void> {
    while (this.#current === child && !this.#end.signal.aborted) await this.#changes.next(this.#end.signal)
  }

  /** kubectl may sit on a connection that is dead: after a sleep, or behind a load balancer that forgot it. */
  async #probe(attempts: number): Promise<void> {
    const child = this.#current
    if (child === undefined) return
    const before = child.moved
    for (let attempt = 0; attempt < attempts; attempt += 1) {
      if (await this.#answers(child)) return
      if (child.moved !== before || this.#current !== child) return
    }
    this.#waitingFor('the port-forward no longer answers')
    child.stop()
  }

  async #answers(child: KubectlChild): Promise<boolean> {
    const limit = AbortSignal.any([AbortSignal.timeout(PROBE_LIMIT), this.#end.signal])
    try {
      const stream = await child.open(limit)
      try {
        const { port, probe = asksRegistry(port) } = this.#options.target
        await probe(stream, limit)
        return true
      } finally {
        stream.destroy()
      }
    } catch {
      return false
    }
  }

  #waitingFor(why: string, suggestions = this.#suggestions()): void {
    this.#trouble = why
    if (!this.#end.signal.aborted) this.#options.tell({ ready: false, detail: why, suggestions })
  }

  #unreachable() {
    return clusterError('FORWARD_WAITING', `cannot reach the registry: ${this.#trouble}`, {
      suggestions: this.#suggestions(),
    })
  }

  #suggestions(): readonly string[] {
    const { namespace, selector } = this.#options.target
    return [`kubectl get pods -n ${namespace} -l ${selector}`]
  }
}

const asksRegistry = (port: number) => (stream: Duplex, signal: AbortSignal) =>
  requestOver(stream, { method: 'GET', path: '/v2/', host: `localhost:${port}` }, signal)
