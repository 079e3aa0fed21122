import type { Clock } from '../../src/ports.ts'

/** More sleeps than any command has; a loop without a deadline ends here instead of never. */
const ENOUGH = 1000

/** Time passes by sleeping alone; what was planned for a moment happens on the way. */
export class FakeClock implements Clock {
  #now = 1_000_000
  #sleeps = 0
  #planned: { readonly at: number; readonly run: () => void }[] = []

  now(): number {
    return this.#now
  }

  async sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted()
    if (++this.#sleeps > ENOUGH) throw new Error('the fake clock was asked to sleep for ever')
    const end = this.#now + milliseconds
    for (;;) {
      const [next] = this.#planned.filter(({ at }) => at <= end).sort((one, other) => one.at - other.at)
      if (next === undefined) break
      this.#planned = this.#planned.filter((one) => one !== next)
      this.#now = Math.max(this.#now, next.at)
      next.run()
      signal?.throwIfAborted()
    }
    this.#now = end
  }

  /** Runs once, when that much time has passed. */
  after(milliseconds: number, run: () => void): void {
    this.#planned.push({ at: this.#now + milliseconds, run })
  }
}
