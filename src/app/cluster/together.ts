/** So many requests at a time leave an API server room for others. */
const TOGETHER = 8

/**
 * Does the same with each of many, some at a time; gives what came of each, in their order. When it throws, nothing of it
 * is under way any more, so what was done can be taken back.
 */
export async function together<T, R>(all: readonly T[], work: (one: T) => Promise<R>): Promise<readonly R[]> {
  const results: R[] = []
  for (let start = 0; start < all.length; start += TOGETHER) {
    const some = await Promise.allSettled(all.slice(start, start + TOGETHER).map(work))
    for (const one of some) {
      if (one.status === 'rejected') throw one.reason
      results.push(one.value)
    }
  }
  return results
}
