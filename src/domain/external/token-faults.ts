import type { TokenProvider } from '../envoy/tokens.ts'
import { TOKEN_HEADER } from './issuer.ts'
import { isStandIn, type Keys } from './keys.ts'

/** An issuer as the registry's proxy is to know it. */
export type WantedIssuer = { readonly issuer: string; readonly audiences: readonly string[]; readonly keys: Keys }

/** What a chain of the proxy lacks to check the issuers' tokens, in words; nothing where it can. */
export const tokenFaults = (providers: readonly TokenProvider[], wanted: readonly WantedIssuer[]): readonly string[] =>
  wanted.flatMap((one) => faultOf(providers, one))

function faultOf(providers: readonly TokenProvider[], { issuer, audiences, keys }: WantedIssuer): readonly string[] {
  const provider = providers.find(
    (one) =>
      one.issuer === issuer &&
      one.headers.includes(TOKEN_HEADER) &&
      JSON.stringify([...one.audiences].sort()) === JSON.stringify([...audiences].sort()),
  )
  if (provider === undefined) return [`it does not check tokens of ${issuer} for ${audiences.join(', ')}`]
  if (keys.jwks !== undefined && provider.jwks !== keys.jwks) return [`it has other keys of ${issuer}`]
  if (provider.jwks !== undefined && isStandIn(provider.jwks))
    return [`istiod got no keys from ${keys.jwksUri ?? issuer}`]
  return []
}
