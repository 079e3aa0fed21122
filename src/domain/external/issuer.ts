import { type Installation, ownerLabels, registrySelector } from '../installation.ts'
import type { KubeObject, ObjectRef } from '../kube-object.ts'
import { EXTERNAL_LABEL, type ExternalGrant, issuerDigest } from './grant.ts'
import type { Keys } from './keys.ts'

/**
 * The header the gateway puts a client's Authorization into. Istio refuses a request that carries a token it cannot check; in
 * `Authorization` that would be the request of any builder or node whose client sends a token meant for somebody else.
 */
export const TOKEN_HEADER = 'x-regctl-token'

type JwtRule = Keys & { readonly issuer?: string; readonly audiences?: readonly string[] }

export const issuerRef = ({ namespace }: Pick<Installation, 'namespace'>, issuer: string): ObjectRef => ({
  apiVersion: 'security.istio.io/v1',
  kind: 'RequestAuthentication',
  namespace,
  name: `tokens-${issuerDigest(issuer)}`,
})

/** What the registry's proxy has to know of an issuer; undefined where no grant names it. */
export function requestAuthentication(
  at: Installation,
  issuer: string,
  keys: Keys,
  grants: readonly ExternalGrant[],
  resourceVersion?: string,
): KubeObject | undefined {
  const audiences = [...new Set(grants.filter((one) => one.issuer === issuer).map((one) => one.audience))].sort()
  if (audiences.length === 0) return undefined
  const { apiVersion, kind, name } = issuerRef(at, issuer)
  return {
    apiVersion,
    kind,
    metadata: {
      name,
      namespace: at.namespace,
      labels: { ...ownerLabels(at), [EXTERNAL_LABEL]: issuerDigest(issuer) },
      ...(resourceVersion === undefined ? {} : { resourceVersion }),
    },
    spec: {
      selector: registrySelector,
      jwtRules: [{ issuer, audiences, fromHeaders: [{ name: TOKEN_HEADER, prefix: 'Bearer ' }], ...keys }],
    },
  }
}

/** Where the keys of an issuer come from now, as its object says. */
export function keysOf(object: KubeObject): Keys {
  const { jwks, jwksUri } = ruleOf(object)
  return { ...(jwks ? { jwks } : {}), ...(jwksUri ? { jwksUri } : {}) }
}

export const issuerOf = (object: KubeObject): string | undefined => ruleOf(object).issuer

const ruleOf = (object: KubeObject): JwtRule =>
  (object.spec as { readonly jwtRules?: readonly JwtRule[] } | undefined)?.jwtRules?.[0] ?? {}
