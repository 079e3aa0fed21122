import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { TLSSocket } from 'node:tls'
import { carried } from './garbage.ts'

/** Carries what comes from one side to the other, with back-pressure, until it is stopped; ends neither. */
export function pour(from: Duplex, to: Duplex): () => void {
  // A socket's chunks are its alone, once they are written. Other streams leave garbage of their own.
  const [owns, litters] = [from instanceof Socket, !(from instanceof Socket && to instanceof Socket)]
  const small = from instanceof TLSSocket
  let gathered = false
  const pass = (): void => {
    gathered = false
    to.uncork()
  }
  const take = (chunk: Buffer): void => {
    if (litters) carried(chunk.length)
    // TLS brings 16 KiB at a time, four and more within one turn: written together they cost a third less.
    if (small && !gathered) {
      gathered = true
      to.cork()
      setImmediate(pass)
    }
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

/**
 * Gives the memory of a chunk back at once. V8 takes notice of buffers outside of its heap late, 40 MiB wait in a transfer
 * otherwise (Node 22), and to have it collect them costs a fifth of carrying them.
 */
function release({ buffer, byteLength }: Buffer): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength) buffer.transfer(0)
}
