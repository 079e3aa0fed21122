import type { Request } from '../envoy/rbac.ts'
import { type Installation, localHosts, NODE_PROXY, nodeNamespace } from '../installation.ts'
import { isWithin } from '../repository.ts'
import type { Grant } from './grant.ts'
import { spiffeId } from './identity.ts'

/** What the registry's proxy must answer to a request once the policies are in force. */
export type Expectation = { readonly request: Request; readonly allowed: boolean; readonly why: string }

/** A service account nobody has, to stand for "any of the namespace". */
const ANY = 'regctl-probe'

/** A repository no grant covers; the name is odd enough that nobody grants it by accident. */
const ELSEWHERE = 'regctl-probe--elsewhere'

/** The whole matrix for these grants: what each grantee may and may not, what nodes and strangers may not. */
export function expectations(at: Installation, trustDomain: string, grants: readonly Grant[]): readonly Expectation[] {
  const request = (principal: string, method: string, path: string): Request => ({
    principal,
    method,
    path,
    host: localHosts(at)[0] ?? '',
    port: at.port,
  })
  const node = spiffeId(trustDomain, nodeNamespace(at), NODE_PROXY)
  const stranger = spiffeId(trustDomain, 'regctl-probe-stranger', 'default')
  return [
    { request: request(node, 'GET', '/v2/any/manifests/1'), allowed: true, why: 'nodes pull' },
    { request: request(node, 'PUT', '/v2/any/manifests/1'), allowed: false, why: 'nodes never write' },
    { request: request(node, 'GET', '/v2/_catalog'), allowed: false, why: 'nodes never list' },
    { request: request(stranger, 'GET', '/v2/'), allowed: false, why: 'strangers get nothing' },
    { request: request(stranger, 'PUT', '/v2/any/manifests/1'), allowed: false, why: 'strangers never write' },
    ...grants.flatMap((grant) => grantExpectations(grant, trustDomain, grants, request)),
  ]
}

function grantExpectations(
  grant: Grant,
  trustDomain: string,
  grants: readonly Grant[],
  request: (principal: string, method: string, path: string) => Request,
): readonly Expectation[] {
  const who = spiffeId(trustDomain, grant.namespace, grant.serviceAccount ?? ANY)
  const manifest = `/v2/${grant.repository}/manifests/1`
  const upload = `/v2/${grant.repository}/blobs/uploads/`
  const below = `/v2/${grant.repository}/below/manifests/1`
  const label = `${grant.namespace} on ${grant.repository}`
  const coveredElsewhere = grants.some(
    (other) =>
      !other.readOnly &&
      !other.exact &&
      other !== grant &&
      sharesIdentity(other, grant) &&
      isWithin(grant.repository, other.repository),
  )
  return [
    { request: request(who, 'GET', manifest), allowed: true, why: `${label}: read` },
    ...(grant.readOnly
      ? []
      : [
          { request: request(who, 'POST', upload), allowed: true, why: `${label}: upload` },
          { request: request(who, 'PUT', manifest), allowed: true, why: `${label}: push` },
          ...(grant.exact && !coveredElsewhere
            ? [{ request: request(who, 'PUT', below), allowed: false, why: `${label}: nothing below an exact grant` }]
            : grant.exact
              ? []
              : [{ request: request(who, 'PUT', below), allowed: true, why: `${label}: push below` }]),
        ]),
    {
      request: request(who, 'PUT', `/v2/${ELSEWHERE}/manifests/1`),
      allowed: false,
      why: `${label}: nothing elsewhere`,
    },
    { request: request(who, 'DELETE', manifest), allowed: false, why: `${label}: no deletion` },
  ]
}

/** After a revoke: the identity may no longer write there, unless another grant of its covers the same repository. */
export function revokedExpectations(
  at: Installation,
  trustDomain: string,
  revoked: Grant,
  left: readonly Grant[],
): readonly Expectation[] {
  const covers = (other: Grant) =>
    sharesIdentity(other, revoked) &&
    (other.repository === revoked.repository || (!other.exact && isWithin(revoked.repository, other.repository)))
  const principal = spiffeId(trustDomain, revoked.namespace, revoked.serviceAccount ?? ANY)
  const base = {
    principal,
    host: localHosts(at)[0] ?? '',
    port: at.port,
    path: `/v2/${revoked.repository}/manifests/1`,
  }
  const label = `${revoked.namespace} on ${revoked.repository}`
  const reads = left.some((other) => sharesIdentity(other, revoked) && (!other.readOnly || covers(other)))
  return [
    ...(left.some((other) => !other.readOnly && covers(other))
      ? []
      : [{ request: { ...base, method: 'PUT' }, allowed: false, why: `${label}: push refused` }]),
    ...(reads ? [] : [{ request: { ...base, method: 'GET' }, allowed: false, why: `${label}: read refused` }]),
  ]
}

const sharesIdentity = (a: Grant, b: Grant): boolean =>
  a.namespace === b.namespace && (a.serviceAccount === undefined || a.serviceAccount === b.serviceAccount)
