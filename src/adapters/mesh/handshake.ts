import { once } from 'node:events'
import type { NetConnectOpts } from 'node:net'
import type { Duplex } from 'node:stream'
import { type ConnectionOptions, connect, type PeerCertificate, type TLSSocket } from 'node:tls'
import type { Place } from '../../domain/forward/place.ts'
import { clusterError, preconditionError, type RegctlError } from '../../errors.ts'
import { DIAL_LIMIT, KEEP_ALIVE, unreachable } from './reach.ts'

const LIMIT = 10_000
/** A developer may not. */
const ASK = 'ask whoever may: regctl status'

type Hello = ConnectionOptions & { readonly servername: string }

/** TLS over a connection that is there already, which it takes along when it fails. */
export function handshake(connection: Duplex, options: Hello, signal: AbortSignal): Promise<TLSSocket> {
  // TLS over one that has ended already would wait for ever.
  if (!connection.readable)
    return Promise.reject(translated(new Error('the connection was closed'), options.servername))
  return secured(connect({ ...options, socket: connection }), options.servername, signal, () => connection.destroy())
}

/** TLS by a connection of its own. */
export async function handshakeAt(
  { host, port }: Place,
  options: Hello & Pick<NetConnectOpts, 'onread'>,
  signal: AbortSignal,
): Promise<TLSSocket> {
  const socket = connect({ ...options, host, port })
  // Errors are for whoever waits, if anybody does yet.
  socket.on('error', () => {})
  try {
    await once(socket, 'connect', { signal: AbortSignal.any([signal, AbortSignal.timeout(DIAL_LIMIT)]) })
  } catch (cause) {
    socket.destroy()
    signal.throwIfAborted()
    throw unreachable(`${host}:${port}`, cause)
  }
  socket.setNoDelay(true).setKeepAlive(true, KEEP_ALIVE)
  return secured(socket, options.servername, signal)
}

function secured(
  socket: TLSSocket,
  name: string,
  signal: AbortSignal,
  alongside: () => void = () => {},
): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const limit = AbortSignal.any([signal, AbortSignal.timeout(LIMIT)])
    const fail = (cause: unknown): void => {
      limit.removeEventListener('abort', late)
      socket.off('close', closed)
      socket.on('error', () => {})
      socket.destroy()
      alongside()
      reject(signal.aborted ? signal.reason : translated(cause, name))
    }
    const late = (): void => fail(new Error('no answer'))
    const closed = (): void => fail(new Error('the connection was closed'))
    limit.addEventListener('abort', late, { once: true })
    socket.once('error', fail)
    socket.once('close', closed)
    socket.once('secureConnect', () => {
      limit.removeEventListener('abort', late)
      socket.off('error', fail).off('close', closed)
      // Whoever gets it listens for errors a turn later.
      socket.on('error', () => {})
      resolve(socket)
    })
    if (limit.aborted) late()
  })
}

/** Node asks this once the chain is verified. */
export const expectUri =
  (uri: string) =>
  (_host: string, { subjectaltname }: PeerCertificate): Error | undefined =>
    // The whole extension: a certificate with a second name is another one's.
    subjectaltname === `URI:${uri}` ? undefined : wrongPeer(subjectaltname ?? 'a certificate without a name', uri)

const wrongPeer = (found: string, expected: string): RegctlError =>
  clusterError('WRONG_PEER', `the other side shows ${found}, not ${expected}`, { suggestions: [ASK] })

/** What the clock of this machine decides. */
const TIME = new Set(['CERT_HAS_EXPIRED', 'CERT_NOT_YET_VALID'])

function translated(cause: unknown, name: string): unknown {
  const { code: found, message = '' } = cause as { code?: unknown; message?: string }
  const code = typeof found === 'string' ? found : ''
  if (code === 'WRONG_PEER') return cause
  if (TIME.has(code))
    return preconditionError('CERTIFICATE_TIME', `the certificate of "${name}" is not valid now: ${message}`, {
      suggestions: ['compare this machine with the cluster: date -u'],
      cause,
    })
  if (code.startsWith('UNABLE_TO_') || code.includes('SELF_SIGNED') || code === 'ERR_TLS_CERT_ALTNAME_INVALID')
    return clusterError('WRONG_PEER', `whoever answers for "${name}" is not of this mesh: ${message}`, {
      suggestions: ['regctl dev-forward --gateway HOST:PORT', ASK],
      cause,
    })
  return clusterError('HANDSHAKE_FAILED', `no TLS with "${name}": ${message || code}`, { suggestions: [ASK], cause })
}
