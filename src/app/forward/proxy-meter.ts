import { addTraffic, countersOf, failuresIn, STATS_PATH, trafficOf } from '../../domain/forward/envoy-stats.ts'
import { NO_TRAFFIC, type Traffic } from '../../domain/forward/forward-report.ts'
import type { Programs } from '../../ports/forward.ts'
import type { Clock } from '../../ports.ts'

const EVERY = 1_000

type Options = {
  readonly programs: Programs
  readonly clock: Clock
  /** Of Envoy's admin interface. */
  readonly socket: string
  /** Connections to the registry failed since it was asked last. */
  readonly failing: () => void
}

/** What Envoy counts. */
export class ProxyMeter {
  readonly #options: Options
  readonly #end = new AbortController()
  readonly #done: Promise<void>
  #before: Traffic = NO_TRAFFIC
  #now: Traffic = NO_TRAFFIC
  #failures = 0

  constructor(options: Options) {
    this.#options = options
    this.#done = this.#keep()
  }

  get traffic(): Traffic {
    return addTraffic(this.#before, this.#now)
  }

  async read(): Promise<void> {
    const { programs, socket, failing } = this.#options
    const answer = await programs.askSocket(socket, STATS_PATH)
    if (answer?.status !== 200) return
    const counters = countersOf(answer.body)
    this.#now = trafficOf(counters)
    const failures = failuresIn(counters)
    if (failures > this.#failures) failing()
    this.#failures = failures
  }

  /** The proxy ended; the next one counts from nothing. */
  startAnew(): void {
    const { connections, bytes } = this.traffic
    this.#before = { connections: { ...connections, open: 0 }, bytes }
    this.#now = NO_TRAFFIC
    this.#failures = 0
  }

  async close(): Promise<void> {
    this.#end.abort()
    await this.#done
  }

  async #keep(): Promise<void> {
    const signal = this.#end.signal
    while (!signal.aborted) {
      await this.read()
      await this.#options.clock.sleep(EVERY, signal).catch(() => {})
    }
  }
}
