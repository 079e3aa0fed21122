import type { Request } from '../envoy/rbac.ts'
import { type Installation, localHosts, NODE_PROXY, nodeNamespace } from '../installation.ts'
import { isWithin } from '../repository.ts'
import type { Grant } from './grant.ts'
import { spiffeId } from './identity.ts'

/** What the registry's proxy must answer to a request once the policies are in force. */
export type Expectation = { readonly request: Request; readonly allowed: boolean; readonly why: string }

/**
 * Stands for any service account of a namespace, for a namespace and a repository nobody grants: a name that neither
 * Kubernetes nor `repositoryName` accepts, so that no grant can make an expectation wrong.
 */
const PROBE = 'REGCTL-PROBE'

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
  const stranger = spiffeId(trustDomain, PROBE, 'default')
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
  const who = spiffeId(trustDomain, grant.namespace, grant.serviceAccount ?? PROBE)
  const { repository } = grant
  const below = `${repository}/${PROBE}`
  // By all grants of the identity: a wider one may give what this one does not.
  const pushes = (where: string) =>
    grants.some((other) => !other.readOnly && appliesTo(other, grant) && covers(other, where))
  const expect = (method: string, path: string, allowed: boolean, what: string): Expectation => ({
    request: request(who, method, path),
    allowed,
    why: `${grant.namespace} on ${repository}: ${what}`,
  })
  return [
    expect('GET', `/v2/${repository}/manifests/1`, true, 'read'),
    expect('POST', `/v2/${repository}/blobs/uploads/`, pushes(repository), pushes(repository) ? 'upload' : 'no upload'),
    expect('PUT', `/v2/${repository}/manifests/1`, pushes(repository), pushes(repository) ? 'push' : 'no push'),
    expect('PUT', `/v2/${below}/manifests/1`, pushes(below), pushes(below) ? 'push below' : 'no push below'),
    expect('PUT', `/v2/${PROBE}/manifests/1`, false, 'nothing elsewhere'),
    expect('DELETE', `/v2/${repository}/manifests/1`, false, 'no deletion'),
  ]
}

/** After a revoke: the identity may no longer do there what no other grant of its gives. */
export function revokedExpectations(
  at: Installation,
  trustDomain: string,
  revoked: Grant,
  left: readonly Grant[],
): readonly Expectation[] {
  const { namespace, serviceAccount = PROBE, repository } = revoked
  const base = {
    principal: spiffeId(trustDomain, namespace, serviceAccount),
    host: localHosts(at)[0] ?? '',
    port: at.port,
    path: `/v2/${repository}/manifests/1`,
  }
  const own = left.filter((other) => appliesTo(other, revoked))
  const pushes = own.some((other) => !other.readOnly && covers(other, repository))
  const reads = own.some((other) => !other.readOnly || covers(other, repository))
  const why = `${namespace} on ${repository}`
  return [
    ...(pushes ? [] : [{ request: { ...base, method: 'PUT' }, allowed: false, why: `${why}: push refused` }]),
    ...(reads ? [] : [{ request: { ...base, method: 'GET' }, allowed: false, why: `${why}: read refused` }]),
  ]
}

/** Whoever a fence takes for a grantee though no grant is left (`outlived`) is a stranger all the same. */
export function outlivedExpectations(
  at: Installation,
  trustDomain: string,
  principals: readonly string[],
): readonly Expectation[] {
  return principals.flatMap((known) => {
    const [, namespace = '', serviceAccount = ''] = /\/ns\/(.+)\/sa\/(.+)$/.exec(known) ?? []
    const principal = spiffeId(trustDomain, namespace, serviceAccount === '*' ? PROBE : serviceAccount)
    return ['GET', 'PUT'].map((method) => ({
      request: { principal, method, path: `/v2/${PROBE}/manifests/1`, host: localHosts(at)[0] ?? '', port: at.port },
      allowed: false,
      why: `the grants of ${namespace} are gone with it and regctl up lets the fence forget it`,
    }))
  })
}

const covers = (grant: Grant, repository: string): boolean =>
  grant.repository === repository || (!grant.exact && isWithin(repository, grant.repository))

/** Has whoever `of` is for the grant `grant` as well? */
const appliesTo = (grant: Grant, of: Grant): boolean =>
  grant.namespace === of.namespace && (grant.serviceAccount === undefined || grant.serviceAccount === of.serviceAccount)
