import { once } from 'node:events'
import net from 'node:net'
import type { Duplex } from 'node:stream'
import { createSecureContext, DEFAULT_CIPHERS, type SecureContext } from 'node:tls'
import type { IdentityMaterial } from '../../domain/forward/identity.ts'
import { placeOf } from '../../domain/forward/place.ts'
import type { Mesh } from '../../ports/forward.ts'
import { Gathering } from '../forward/gathering.ts'
import { certify, greet } from './authority.ts'
import { expectUri, handshake, handshakeAt } from './handshake.ts'
import { DIAL_LIMIT, KEEP_ALIVE, unreachable } from './reach.ts'

export const mesh: Mesh = {
  dial,
  greet,
  certify,
  async secure(to, { sni, principal }, identity, signal): Promise<Duplex> {
    const options = {
      servername: sni,
      secureContext: contextOf(identity),
      // The gateway passes on nothing that does not offer one of Istio's protocols.
      ALPNProtocols: ['istio'],
      checkServerIdentity: expectUri(principal),
    }
    if (typeof to !== 'string') return handshake(to, options, signal)
    // A socket that TLS makes by itself may be read past its stream; one that is handed to it may not.
    const gathering = new Gathering()
    const socket = await handshakeAt(placeOf(to), { ...options, onread: gathering.onread }, signal)
    gathering.of(socket)
    return socket
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
    throw unreachable(address, cause)
  }
}
