import { failuresAfter, pauseAfter } from '../../domain/forward/backoff.ts'
import { lastWords } from '../../domain/forward/container.ts'
import { preconditionError } from '../../errors.ts'
import type { RunningContainer } from '../../ports/forward.ts'
import type { Clock } from '../../ports.ts'

const LOOK_EVERY = 50
const START_LIMIT = 30_000

type Options = {
  readonly clock: Clock
  readonly run: () => RunningContainer
  /** Whether what runs in it answers. */
  readonly answers: () => Promise<boolean>
  readonly changed: () => void
}

/** A container that is started anew whenever it ends. */
export class KeptContainer {
  readonly #options: Options
  readonly #end = new AbortController()
  readonly #done: Promise<void>
  readonly #first = Promise.withResolvers<void>()
  #trouble: string | undefined = 'the proxy starts'

  constructor(options: Options) {
    this.#options = options
    this.#first.promise.catch(() => {})
    this.#done = this.#keep()
  }

  /** Undefined while it answers. */
  get trouble(): string | undefined {
    return this.#trouble
  }

  /** @throws precondition error PROXY_FAILED where the first one ended before it answered */
  get started(): Promise<void> {
    return this.#first.promise
  }

  async close(): Promise<void> {
    this.#end.abort()
    await this.#done
  }

  async #keep(): Promise<void> {
    const { clock, run } = this.#options
    const signal = this.#end.signal
    let failures = 0
    while (!signal.aborted) {
      const startedAt = clock.now()
      const container = run()
      const said = await this.#watch(container)
      const why = `the proxy's container ended: ${lastWords(said ?? 'it did not answer in time')}`
      if (!signal.aborted) this.#become(why)
      await container.stop()
      if (signal.aborted) break
      this.#first.reject(
        preconditionError('PROXY_FAILED', why, {
          suggestions: ['regctl dev-forward --mode proxy --proxy-image IMAGE', 'regctl dev-forward --mode mesh'],
        }),
      )
      failures = failuresAfter(failures, clock.now() - startedAt)
      await clock.sleep(pauseAfter(failures), signal).catch(() => {})
    }
    this.#first.reject(new Error('closed before it started'))
  }

  /** Until it ends, with what it said; undefined where it was given up, or is no longer wanted. */
  async #watch(container: RunningContainer): Promise<string | undefined> {
    const { clock, answers } = this.#options
    const signal = this.#end.signal
    let over = false
    const ended = container.ended.then((said) => {
      over = true
      return said
    })
    for (const limit = clock.now() + START_LIMIT; !(await answers()); ) {
      if (over) return ended
      if (signal.aborted || clock.now() > limit) return undefined
      await clock.sleep(LOOK_EVERY, signal).catch(() => {})
    }
    this.#become(undefined)
    this.#first.resolve()
    return Promise.race([ended, aborted(signal)])
  }

  #become(trouble: string | undefined): void {
    this.#trouble = trouble
    if (!this.#end.signal.aborted) this.#options.changed()
  }
}

const aborted = (signal: AbortSignal): Promise<undefined> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve(undefined)
    signal.addEventListener('abort', () => resolve(undefined), { once: true })
  })
