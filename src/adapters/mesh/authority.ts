import { X509Certificate } from 'node:crypto'
import { type ClientHttp2Session, connect as connectHttp2, type IncomingHttpHeaders } from 'node:http2'
import type { Duplex } from 'node:stream'
import type { Issued } from '../../domain/forward/identity.ts'
import { clusterError } from '../../errors.ts'
import type { AuthorityTarget } from '../../ports/forward.ts'
import { decodeAnswer, encodeRequest, METHOD } from './certificate-service.ts'
import { handshake } from './handshake.ts'
import { signingRequest } from './signing-request.ts'

const toAuthority = (connection: Duplex, { name, roots }: AuthorityTarget, signal: AbortSignal) =>
  handshake(connection, { servername: name, ca: roots, ALPNProtocols: ['h2'] }, signal)

export async function greet(connection: Duplex, authority: AuthorityTarget, signal: AbortSignal): Promise<void> {
  const socket = await toAuthority(connection, authority, signal)
  socket.destroy()
  connection.destroy()
}

export async function certify(
  connection: Duplex,
  authority: AuthorityTarget,
  { token, seconds }: { readonly token: string; readonly seconds: number },
  signal: AbortSignal,
): Promise<Issued> {
  const { privateKey, request } = await signingRequest()
  const socket = await toAuthority(connection, authority, signal)
  const session = connectHttp2(`https://${authority.name}`, { createConnection: () => socket })
  try {
    const chain = await ask(session, authority, encodeRequest(request, seconds), token, signal)
    const [first = ''] = chain
    const leaf = new X509Certificate(first)
    if (!leaf.checkPrivateKey(privateKey)) throw refused(authority, 'it signed another key')
    return {
      certificateChain: chain.join(''),
      privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
      roots: authority.roots,
      principal: (leaf.subjectAltName ?? '').replace(/^URI:/, ''),
      notBefore: Date.parse(leaf.validFrom),
      notAfter: Date.parse(leaf.validTo),
    }
  } finally {
    session.destroy()
    connection.destroy()
  }
}

const LIMIT = 15_000

/** Answers that only another token or another request would change (https://grpc.github.io/grpc/core/md_doc_statuscodes.html). */
const TOO_LONG = '3'
const FINAL = new Set([TOO_LONG, '7', '16'])

/** `name` is that of a Service: istiod.istio-system.svc. */
function refused({ name }: Pick<AuthorityTarget, 'name'>, why: string, status = '') {
  const [deployment, namespace] = name.split('.')
  const log = `ask whoever may: kubectl logs -n ${namespace} deployment/${deployment} --tail 50`
  return clusterError(
    FINAL.has(status) ? 'CERTIFICATE_REFUSED' : 'CERTIFICATE_FAILED',
    `the mesh's certificate authority gives no certificate: ${why}`,
    {
      suggestions: status === TOO_LONG ? ['regctl dev-forward --certificate-lifetime 10m', log] : [log],
      ...(status === '' ? {} : { details: { grpcStatus: Number(status) } }),
    },
  )
}

function ask(
  session: ClientHttp2Session,
  authority: AuthorityTarget,
  message: Buffer,
  token: string,
  signal: AbortSignal,
): Promise<readonly string[]> {
  return new Promise((resolve, reject) => {
    const fail = (cause: unknown): void => reject(refused(authority, (cause as Error).message))
    session.on('error', fail)
    const stream = session.request(
      {
        ':method': 'POST',
        ':path': METHOD,
        'content-type': 'application/grpc',
        te: 'trailers',
        authorization: `Bearer ${token}`,
      },
      { signal: AbortSignal.any([signal, AbortSignal.timeout(LIMIT)]) },
    )
    const parts: Buffer[] = []
    let status: string | undefined
    let why = 'no status'
    // An answer without a message has its status in the headers.
    const read = (headers: IncomingHttpHeaders): void => {
      const { 'grpc-status': found, 'grpc-message': said } = headers
      if (found !== undefined) status = String(found)
      if (said !== undefined) why = decoded(String(said))
    }
    stream.on('response', read).on('trailers', read)
    stream.on('data', (part: Buffer) => parts.push(part))
    stream.on('error', fail)
    stream.on('close', () => {
      if (status !== '0') return reject(refused(authority, why, status))
      try {
        resolve(decodeAnswer(Buffer.concat(parts)))
      } catch (error) {
        fail(error)
      }
    })
    stream.end(message)
  })
}

/** Thrown in an event's listener an error would end the process. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
