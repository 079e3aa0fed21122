import type { Socket } from 'node:net'
import { type Reading, type RequestHead, readHead } from '../../domain/forward/request-head.ts'

/** Cookies and tokens fit; a client that sends more has no business here. */
const HEAD_LIMIT = 32 * 1024
const HEAD_TIME = 10_000

export type FirstRequest =
  | { readonly kind: 'head'; readonly head: RequestHead; readonly bytes: Buffer }
  | Extract<Reading, { kind: 'malformed' }>
  | { readonly kind: 'late' | 'oversized' | 'gone' }

/** Reads up to the end of the first request's head, and leaves the socket paused. */
export function firstRequest(socket: Socket, timeMs = HEAD_TIME): Promise<FirstRequest> {
  return new Promise((resolve) => {
    let bytes: Buffer = Buffer.alloc(0)
    const done = (result: FirstRequest): void => {
      clearTimeout(timer)
      socket.off('data', take).off('end', gone).off('error', gone).off('close', gone)
      socket.pause()
      resolve(result)
    }
    const gone = (): void => done({ kind: 'gone' })
    const take = (chunk: Buffer): void => {
      bytes = bytes.length === 0 ? chunk : Buffer.concat([bytes, chunk])
      const reading = readHead(bytes)
      if (reading.kind === 'head') done({ ...reading, bytes })
      else if (reading.kind === 'malformed') done(reading)
      else if (bytes.length > HEAD_LIMIT) done({ kind: 'oversized' })
    }
    // Nothing at all is what a browser's spare connection sends: no answer is expected there.
    const timer = setTimeout(() => done({ kind: bytes.length === 0 ? 'gone' : 'late' }), timeMs)
    socket.on('data', take).on('end', gone).on('error', gone).on('close', gone)
  })
}
