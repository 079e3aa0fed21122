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

/** Rounds interleaved A B C A B C, so that a slow spell of the machine hits all alike; the first round warms up. */
export async function compare(
  rounds: number,
  base: { readonly name: string; readonly run: () => Promise<unknown> },
  others: readonly { readonly name: string; readonly run: () => Promise<unknown> }[],
): Promise<readonly Series[]> {
  const ratios = others.map((): number[] => [])
  for (let round = 0; round <= rounds; round++) {
    const reference = await seconds(base.run)
    for (const [index, other] of others.entries()) {
      const ratio = (await seconds(other.run)) / reference
      if (round > 0) ratios[index]?.push(ratio)
    }
  }
  return others.map((other, index) => ({ name: other.name, base: base.name, ratios: ratios[index] ?? [] }))
}
