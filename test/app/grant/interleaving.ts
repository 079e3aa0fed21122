import { setImmediate } from 'node:timers/promises'

/** Lets one of the waiting calls go on at a time, in an order that the seed decides. */
export class Interleaving {
  #state: number
  readonly #waiting: (() => void)[] = []

  constructor(seed: number) {
    this.#state = seed * 2_654_435_761 + 1
  }

  readonly turn = (): Promise<void> => new Promise((resolve) => void this.#waiting.push(resolve))

  async run(tasks: readonly (() => Promise<unknown>)[]): Promise<void> {
    let running = tasks.length
    const all = tasks.map((task) => task().finally(() => running--))
    while (running > 0) {
      await setImmediate()
      this.#waiting.splice(this.#random(this.#waiting.length), 1)[0]?.()
    }
    await Promise.all(all)
  }

  #random(below: number): number {
    // Numerical Recipes' generator: the same order for the same seed, everywhere.
    this.#state = (Math.imul(this.#state, 1_664_525) + 1_013_904_223) >>> 0
    return below === 0 ? 0 : Math.floor((this.#state / 2 ** 32) * below)
  }
}
