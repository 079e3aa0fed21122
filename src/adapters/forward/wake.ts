import { slept } from '../../domain/forward/backoff.ts'

const EVERY = 1_000

/** Calls back after the machine slept or the wall clock jumped. */
export function onWake(wake: () => void): () => void {
  let before = Date.now()
  const timer = setInterval(() => {
    const now = Date.now()
    if (slept(now - before, EVERY)) wake()
    before = now
  }, EVERY)
  timer.unref()
  return () => clearInterval(timer)
}
