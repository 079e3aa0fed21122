/** How a proxy checks tokens: the providers of its jwt_authn filters, as its config_dump prints them. */
type Json = Readonly<Record<string, unknown>>

export type TokenProvider = {
  readonly issuer: string
  readonly audiences: readonly string[]
  /** Headers it takes a token from; none means `Authorization`. */
  readonly headers: readonly string[]
  /** The keys themselves; undefined where the proxy asks for them. */
  readonly jwks: string | undefined
}

const FILTER = 'envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication'

/** From the HTTP filters of one chain. */
export const tokenProviders = (filters: readonly Json[]): readonly TokenProvider[] =>
  filters
    .map(({ typed_config }) => (typed_config ?? {}) as Json)
    .filter((config) => String(config['@type']).endsWith(FILTER))
    .flatMap(({ providers }) => Object.values((providers ?? {}) as Readonly<Record<string, Json>>))
    .map(({ issuer, audiences, from_headers, local_jwks }) => ({
      issuer: String(issuer ?? ''),
      audiences: (audiences ?? []) as readonly string[],
      headers: ((from_headers ?? []) as readonly Json[]).map(({ name }) => String(name)),
      jwks: (local_jwks as Json | undefined)?.inline_string as string | undefined,
    }))
