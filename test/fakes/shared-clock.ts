import { setImmediate as turn } from 'node:timers/promises'
import type { Clock } from '../../src/ports.ts'

type Sleeper = { readonly until: number; readonly wake: () => void }

/** For several that sleep at once: time goes to whoever wakes first, when nothing else is left to do. */
export class SharedClock implements Clock {
  #now = 1_000_000
  #sleepers: Sleeper[] = []
  #runs = false

  now(): number {
    return this.#now
  }

  async sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted()
    await new Promise<void>((resolve, reject) => {
      const sleeper = { until: this.#now + milliseconds, wake: resolve }
      this.#sleepers.push(sleeper)
      signal?.addEventListener('abort', () => {
        this.#sleepers = this.#sleepers.filter((one) => one !== sleeper)
        reject(signal.reason)
      })
      void this.#run()
    })
  }

  async #run(): Promise<void> {
    if (this.#runs) return
    this.#runs = true
    while (this.#sleepers.length > 0) {
      for (let round = 0; round < 5; round += 1) await turn()
      const first = this.#sleepers.toSorted((one, other) => one.until - other.until)[0]
      if (first === undefined) break
      this.#sleepers = this.#sleepers.filter((one) => one !== first)
      this.#now = Math.max(this.#now, first.until)
      first.wake()
    }
    this.#runs = false
  }
}
