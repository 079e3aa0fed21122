import { setTimeout as pause } from 'node:timers/promises'
import type { Clock } from '../ports.ts'

export const systemClock: Clock = {
  now: () => Date.now(),
  async sleep(milliseconds, signal) {
    try {
      await pause(milliseconds, undefined, signal === undefined ? {} : { signal })
    } catch (error) {
      // Timers reject with an AbortError of their own that hides the reason in its cause.
      signal?.throwIfAborted()
      throw error
    }
  },
}
