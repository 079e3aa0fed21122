const FIRST = 100
/** Short, because a registry that is back has to be served within three seconds. */
const LONGEST = 2_000
const HEALTHY = 5_000

/** Failures in a row, after one more end; a run that was healthy for a while starts the count anew. */
export const failuresAfter = (failures: number, livedMs: number): number => (livedMs >= HEALTHY ? 0 : failures + 1)

/** The pause before the next try. */
export const pauseAfter = (failures: number): number =>
  failures === 0 ? 0 : Math.min(FIRST * 2 ** (failures - 1), LONGEST)

const SLEEP = 5_000

/** Was the machine asleep between two ticks? On some systems all clocks but the wall clock stand still meanwhile. */
export const slept = (passedMs: number, everyMs: number): boolean => passedMs > everyMs + SLEEP || passedMs < -SLEEP
