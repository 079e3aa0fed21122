import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { pour } from './pour.ts'

/** How long an answer may take after the client said that it sends no more. */
const ANSWER_LIMIT = 30_000
/** An answer that was quiet for so long has ended. */
const QUIET = 1_000
/** How long a client may take to close after everything was written to it. */
const LINGER = 5_000

/** `unanswered`: the peer went away before its first byte. The client's socket is as it was then, and paused. */
export type Outcome = { readonly kind: 'closed' } | { readonly kind: 'unanswered'; readonly error?: Error }

/**
 * Carries bytes both ways, with back-pressure, until both sides have ended; when a side breaks, the other is ended too.
 * The client's end is passed on once it has been answered: containerd ends a port-forward one second after the end of one
 * direction, and Go's HTTP server cancels the request; the answer would be lost with either.
 */
export function join(client: Socket, peer: Duplex): Promise<Outcome> {
  return new Promise((resolve) => {
    let unanswered = true
    let asked = true
    let peerEnded = false
    let broken: Error | undefined
    let ending: NodeJS.Timeout | undefined
    const endSoon = (delay: number): void => {
      clearTimeout(ending)
      ending = setTimeout(() => peer.end(), delay)
    }
    const onAsk = (): void => {
      asked = true
    }
    const onClientEnd = (): void => {
      if (asked) endSoon(ANSWER_LIMIT)
      else peer.end()
    }
    const finish = (outcome: Outcome): void => {
      clearTimeout(ending)
      client.off('end', onClientEnd).off('close', onClientClose)
      resolve(outcome)
    }
    const onClientClose = (): void => {
      peer.destroy()
      finish({ kind: 'closed' })
    }
    const onPeerGone = (): void => {
      stop()
      if (!unanswered || client.destroyed || client.readableEnded) return
      client.pause()
      finish({ kind: 'unanswered', ...(broken === undefined ? {} : { error: broken }) })
    }
    const onAnswer = (): void => {
      unanswered = false
      asked = false
      if (ending !== undefined) endSoon(QUIET)
    }
    peer.on('error', (error) => {
      broken = error
    })
    peer.on('end', () => {
      peerEnded = true
      if (unanswered && !client.readableEnded) onPeerGone()
      else client.end()
    })
    peer.on('close', () => {
      clearTimeout(ending)
      if (client.destroyed) return
      if (unanswered && !client.readableEnded) return onPeerGone()
      if (!peerEnded) return void client.resetAndDestroy()
      stop()
      client.resume()
      const linger = (): void => void setTimeout(() => client.destroy(), LINGER).unref()
      if (client.writableFinished) linger()
      else client.once('finish', linger)
    })
    client.on('end', onClientEnd).on('close', onClientClose)
    pour(peer, client, onAnswer)
    const stop = pour(client, peer, onAsk)
    // What broke before anybody listened here.
    if (client.destroyed) onClientClose()
    else if (peer.destroyed) onPeerGone()
  })
}
