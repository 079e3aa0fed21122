import type { Request } from '../envoy/rbac.ts'
import { type Installation, NODE_PROXY, nodeNamespace } from '../installation.ts'
import type { Expectation } from '../policy/expectation.ts'
import { spiffeId } from '../policy/identity.ts'
import { isWithin } from '../repository.ts'
import type { ExternalGrant, ExternalIdentity } from './grant.ts'

/** Where tokens come in: the gateway's identity and a host it serves. */
export type Entrance = { readonly principal: string; readonly host: string }

/** A namespace, a repository, an issuer, a subject and an audience that nobody can grant. */
const PROBE = 'REGCTL-PROBE*'

/** What the registry's proxy must answer to those outside, with their tokens and without. */
export function externalExpectations(
  at: Installation,
  trustDomain: string,
  { principal, host }: Entrance,
  grants: readonly ExternalGrant[],
): readonly Expectation[] {
  const ask = (method: string, path: string, claims?: Request['claims'], query?: string): Request => ({
    principal: `spiffe://${trustDomain}${principal.slice(principal.indexOf('/'))}`,
    method,
    path,
    host,
    port: at.port,
    ...(claims === undefined ? {} : { claims }),
    ...(query === undefined ? {} : { query }),
  })
  return grants.flatMap((grant) => {
    const { subject, repository } = grant
    const [base, below] = [`/v2/${repository}`, `${repository}/${PROBE}`]
    const token = claimsOf(grant)
    const pushesBelow = grants.some((one) => isSame(one, grant) && !one.exact && isWithin(below, one.repository))
    const put = (claims?: Request['claims']) => ask('PUT', `${base}/manifests/1`, claims)
    const expect = (request: Request, allowed: boolean, what: string): Expectation => ({
      request,
      allowed,
      why: `${subject} on ${repository}: ${what}`,
    })
    const other = (change: Partial<ExternalIdentity>) => put(claimsOf({ ...grant, ...change }))
    const node = spiffeId(trustDomain, nodeNamespace(at), NODE_PROXY)
    const stranger = spiffeId(trustDomain, PROBE, 'default')
    return [
      expect(ask('HEAD', `${base}/blobs/sha256:1`, token), true, 'read'),
      expect(ask('POST', `${base}/blobs/uploads/`, token), true, 'upload'),
      expect(put(token), true, 'push'),
      expect(ask('PUT', `/v2/${below}/manifests/1`, token), pushesBelow, pushesBelow ? 'push below' : 'no push below'),
      expect(ask('PUT', `/v2/${PROBE}/manifests/1`, token), false, 'nothing elsewhere'),
      expect(ask('DELETE', `${base}/manifests/1`, token), false, 'no deletion'),
      expect(ask('POST', `${base}/blobs/uploads/`, token, `mount=sha256:1&from=${PROBE}`), false, 'no mount'),
      expect(put(), false, 'nothing without a token'),
      expect(other({ issuer: PROBE }), false, 'nothing by another issuer'),
      expect(other({ subject: PROBE }), false, 'nothing for another subject'),
      expect(other({ audience: PROBE }), false, 'nothing for another audience'),
      expect({ ...put(token), principal: node }, false, 'nothing by a node'),
      expect({ ...put(token), principal: stranger }, false, 'nothing by another workload'),
    ]
  })
}

/** After a revoke: the subject may no longer push there what no other grant of its gives. */
export function revokedExternalExpectations(
  at: Installation,
  trustDomain: string,
  { principal, host }: Entrance,
  revoked: ExternalGrant,
  left: readonly ExternalGrant[],
): readonly Expectation[] {
  const { repository, subject } = revoked
  const stays = left.some(
    (one) =>
      isSame(one, revoked) && (one.repository === repository || (!one.exact && isWithin(repository, one.repository))),
  )
  if (stays) return []
  return ['PUT', 'POST'].map((method) => ({
    request: {
      principal: `spiffe://${trustDomain}${principal.slice(principal.indexOf('/'))}`,
      method,
      path: method === 'PUT' ? `/v2/${repository}/manifests/1` : `/v2/${repository}/blobs/uploads/`,
      host,
      port: at.port,
      claims: claimsOf(revoked),
    },
    allowed: false,
    why: `${subject} on ${repository}: push refused`,
  }))
}

const claimsOf = ({ issuer, subject, audience }: ExternalIdentity) => ({ iss: issuer, sub: subject, aud: audience })

const isSame = (one: ExternalIdentity, other: ExternalIdentity): boolean =>
  one.issuer === other.issuer && one.subject === other.subject && one.audience === other.audience
