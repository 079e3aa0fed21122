import { once } from 'node:events'
import net from 'node:net'
import type { Duplex } from 'node:stream'
import { createSecureContext, DEFAULT_CIPHERS, type SecureContext } from 'node:tls'
import type { IdentityMaterial } from '../../domain/forward/identity.ts'
import { placeOf } from '../../domain/forward/place.ts'
import { clusterError } from '../../errors.ts'
import type { Mesh } from '../../ports/forward.ts'
import { certify, greet } from './authority.ts'
import { expectUri, handshake } from './handshake.ts'

const DIAL_LIMIT = 5_000
/** A connection whose other end vanished, as after a sleep, is found out by this. */
const KEEP_ALIVE = 30_000

export const mesh: Mesh = {
  dial,
  greet,
  certify,
  async secure(connection, { sni, principal }, identity, signal): Promise<Duplex> {
    return handshake(
      connection,
      {
        servername: sni,
        secureContext: contextOf(identity),
        // The gateway passes on nothing that does not offer one of Istio's protocols.
        ALPNProtocols: ['istio'],
        checkServerIdentity: expectUri(principal),
      },
      signal,
    )
  },
}

/** What a key of 128 bits protects is out of reach as well, and it costs a third less. */
const CIPHERS = `TLS_AES_128_GCM_SHA256:${DEFAULT_CIPHERS}`

const contexts = new WeakMap<IdentityMaterial, SecureContext>()

/** Reading the PEM again for every connection would cost more than the handshake. */
function contextOf(identity: IdentityMaterial): SecureContext {
  const { certificateChain: cert, privateKey: key, roots: ca } = identity
  const context = contexts.get(identity) ?? createSecureContext({ cert, key, ca, ciphers: CIPHERS })
  contexts.set(identity, context)
  return context
}

async function dial(address: string, signal: AbortSignal): Promise<Duplex> {
  const { host, port } = placeOf(address)
  const socket = net.connect({ host, port, noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE })
  try {
    await once(socket, 'connect', { signal: AbortSignal.any([signal, AbortSignal.timeout(DIAL_LIMIT)]) })
    return socket
  } catch (cause) {
    socket.destroy()
    const { code } = cause as NodeJS.ErrnoException
    throw clusterError('GATEWAY_UNREACHABLE', `cannot reach ${address}: ${reason(code)}`, { cause })
  }
}

const reason = (code: string | undefined): string => (code === undefined || code === 'ABORT_ERR' ? 'no answer' : code)
