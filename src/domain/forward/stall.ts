/** How long a client may take nothing before what it shares a connection with is kept from it; milliseconds. */
const STALL = 1_000
/** How long it may keep others waiting who share that connection already; milliseconds. */
const PATIENCE = 10_000

/** A stream's bytes so far; `held`: its client does not take what is there. */
export type Sample = { readonly read: number; readonly written: number; readonly held: boolean }

/** `activeAt`: when bytes moved last, in milliseconds. */
export type Watched = Sample & { readonly activeAt: number }

export function watched(before: Watched | undefined, sample: Sample, at: number): Watched {
  const moved =
    before === undefined || sample.read !== before.read || (!sample.held && sample.written !== before.written)
  return { ...sample, activeAt: moved ? at : before.activeAt }
}

export const hasStalled = ({ held, activeAt }: Watched, at: number): boolean => held && at - activeAt >= STALL

/** Those that held back for too long while another waits behind them. */
export function inTheWay<Stream>(streams: ReadonlyMap<Stream, Watched>, at: number): readonly Stream[] {
  const long = [...streams].filter(([, one]) => one.held && at - one.activeAt >= PATIENCE)
  const since = Math.min(...long.map(([, { activeAt }]) => activeAt))
  const waiting = [...streams.values()].some(({ held, activeAt }) => !held && activeAt >= since - STALL)
  return waiting ? long.map(([stream]) => stream) : []
}
