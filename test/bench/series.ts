/** One measured thing as a multiple of another measured in the same round; `value` where it is no multiple. */
export type Series = {
  readonly name: string
  readonly base: string
  readonly ratios: readonly number[]
  readonly value?: string
}

export function medianRatio(ratios: readonly number[]): number {
  const sorted = [...ratios].sort((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  const upper = sorted[middle] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? Number.NaN)) / 2
}

/** Seconds that `run` takes. */
export async function seconds(run: () => Promise<unknown>): Promise<number> {
  const started = process.hrtime.bigint()
  await run()
  return Number(process.hrtime.bigint() - started) / 1e9
}

/**
 * Each of the others between two runs of the base, which it is compared with: a slow spell of the machine hits both alike.
 * The first round warms up.
 */
export async function compare(
  rounds: number,
  base: { readonly name: string; readonly run: () => Promise<unknown> },
  others: readonly { readonly name: string; readonly run: () => Promise<unknown> }[],
): Promise<readonly Series[]> {
  const ratios = others.map((): number[] => [])
  let before = await seconds(base.run)
  for (let round = 0; round <= rounds; round++) {
    for (const [index, other] of others.entries()) {
      const taken = await seconds(other.run)
      const after = await seconds(base.run)
      if (round > 0) ratios[index]?.push(taken / ((before + after) / 2))
      before = after
    }
  }
  return others.map((other, index) => ({ name: other.name, base: base.name, ratios: ratios[index] ?? [] }))
}
