import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { carried, release } from './garbage.ts'
import { gatheringOf } from './gathering.ts'

/** Carries what comes from one side to the other, with back-pressure, until it is stopped; ends neither. `seen` is called for whatever comes. */
export function pour(from: Duplex, to: Duplex, seen: () => void): () => void {
  const gathering = gatheringOf(from)
  if (gathering !== undefined) {
    gathering.pour(to, seen)
    return () => void from.pause()
  }
  // A socket's chunks are its alone, once they are written. Other streams leave garbage of their own.
  const [owns, litters] = [from instanceof Socket, !(from instanceof Socket && to instanceof Socket)]
  const take = (chunk: Buffer): void => {
    seen()
    if (litters) carried(chunk.length)
    const flows = owns ? to.write(chunk, () => release(chunk)) : to.write(chunk)
    if (!flows) from.pause()
  }
  const more = (): void => void from.resume()
  from.on('data', take)
  to.on('drain', more)
  more()
  return () => {
    from.off('data', take)
    to.off('drain', more)
    from.pause()
  }
}
