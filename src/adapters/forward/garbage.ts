import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** Bytes after which what their buffers leave is collected: so few that it is in the processor's cache still. */
const EVERY = 1024 * 1024

let collect: ((options: { readonly type: 'minor' | 'major'; readonly flavor?: 'last-resort' }) => void) | undefined
let since = 0

function collector(): NonNullable<typeof collect> {
  // There is no other way to ask than the one for tests of V8; it holds for contexts made afterwards.
  setFlagsFromString('--expose-gc')
  collect ??= runInNewContext('gc') as NonNullable<typeof collect>
  setFlagsFromString('--no-expose-gc')
  return collect
}

/** Bytes went through. V8 takes notice of buffers outside of its heap late: 40 MiB wait in a transfer otherwise (Node 22). */
export function carried(bytes: number): void {
  since += bytes
  if (since < EVERY) return
  since = 0
  ;(collect ?? collector())({ type: 'minor' })
}

/** What starting left, which is a third of the heap; as a last resort its pages go back to the system as well, which is 10 MB (Node 22). */
export const collectAll = (): void => (collect ?? collector())({ type: 'major', flavor: 'last-resort' })

/**
 * Gives the memory of a buffer that nobody reads any more back at once, where it is its own: to have V8 collect it costs a fifth of
 * carrying it.
 */
export function release({ buffer, byteLength }: Buffer): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength) buffer.transfer(0)
}
