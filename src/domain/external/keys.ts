import { usageError } from '../../errors.ts'

/** Where an issuer's public keys come from: its own discovery document, another address, or a set that was handed over. */
export type Keys = { readonly jwksUri?: string; readonly jwks?: string }

type Key = Readonly<Record<string, unknown>>

/** Members of a JSON Web Key that nobody but the issuer may know. https://www.rfc-editor.org/rfc/rfc7518#section-6 */
const PRIVATE = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'] as const

/**
 * Checks a key set that is to be read by all who may read policies, and writes it on one line.
 * @throws usage error INVALID_JWKS
 */
export function keySet(text: string, from: string): string {
  const keys = keysIn(text)
  const refuse = (why: string, suggestions: readonly string[] = []): never => {
    throw usageError('INVALID_JWKS', `${from} ${why}`, { suggestions })
  }
  if (keys === undefined || keys.length === 0) return refuse('is not a JSON Web Key Set: {"keys": [{"kty": …}]}')
  for (const key of keys) {
    if (typeof key.kty !== 'string') refuse('has a key without "kty"')
    if (key.kty === 'oct' || PRIVATE.some((member) => member in key))
      refuse('has a secret or private key: the registry needs the public part alone', [
        `take ${PRIVATE.join(', ')} out of the keys`,
      ])
  }
  return JSON.stringify({ keys })
}

function keysIn(text: string): readonly Key[] | undefined {
  try {
    const { keys } = JSON.parse(text) as { readonly keys?: readonly Key[] }
    return Array.isArray(keys) && keys.every((key) => typeof key === 'object' && key !== null) ? keys : undefined
  } catch {
    return undefined
  }
}

/** The modulus of the key istiod puts where it could not fetch any; its private part was thrown away (istio jwks_resolver.go). */
const NOBODYS = '0xObjM0UvS_oaazjpEYlAbwctEJ4L8pH3OuTb7qth7gUwqet'

/** A real RSA key has 2048 bits; older versions of istiod made one out of the address itself. */
const SHORTEST = 128

/** Did istiod put a stand-in where it could not get the keys? */
export function isStandIn(jwks: string): boolean {
  const keys = keysIn(jwks)
  if (keys === undefined || keys.length === 0) return true
  return keys.every(
    ({ kty, n }) =>
      kty === 'RSA' && (String(n).startsWith(NOBODYS) || Buffer.from(String(n), 'base64url').length < SHORTEST),
  )
}
