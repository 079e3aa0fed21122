import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { controlPlaneIp } from '../../lab/network.ts'

type Claims = Readonly<Record<string, unknown>>

/** Signs tokens as an issuer does, and others as no issuer would. */
export class Issuer {
  readonly #key: KeyObject
  readonly keys: string
  readonly name: string

  constructor(name: string) {
    const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
    this.#key = privateKey
    this.name = name
    this.keys = JSON.stringify({
      keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'one', alg: 'RS256', use: 'sig' }],
    })
  }

  /** Good for a minute, unless the claims say otherwise. Signed by nobody with `null`. */
  token(subject: string, audience: string, more: Claims = {}, signedBy: Issuer | null = this): string {
    const now = Math.floor(Date.now() / 1000)
    const claims = { iss: this.name, sub: subject, aud: audience, iat: now, nbf: now - 5, exp: now + 60, ...more }
    const text = `${part({ alg: signedBy === null ? 'none' : 'RS256', kid: 'one', typ: 'JWT' })}.${part(claims)}`
    if (signedBy === null) return `${text}.`
    return `${text}.${sign('sha256', Buffer.from(text), signedBy.#key).toString('base64url')}`
  }
}

const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')

/** An issuer that istiod finds the keys of by itself, as OpenID Connect says; on the address of the lab's control plane. */
export async function servedIssuer(
  subject: string,
): Promise<AsyncDisposable & { readonly issuer: Issuer; readonly asked: string[] }> {
  const asked: string[] = []
  const server = createServer(({ url = '' }, response) => {
    asked.push(url)
    response.setHeader('content-type', 'application/json')
    const { pathname, searchParams } = new URL(url, issuer.name)
    const discovery = JSON.stringify({ issuer: issuer.name, jwks_uri: `${issuer.name}/keys` })
    const audience = searchParams.get('audience')
    // As GitHub answers a job that asks for its token.
    if (audience !== null) response.end(JSON.stringify({ count: 1, value: issuer.token(subject, audience) }))
    else response.end(pathname.endsWith('/openid-configuration') ? discovery : issuer.keys)
  })
  server.listen(0, controlPlaneIp)
  await once(server, 'listening')
  const issuer = new Issuer(`http://${controlPlaneIp}:${(server.address() as AddressInfo).port}`)
  return {
    issuer,
    asked,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      server.close()
    },
  }
}
