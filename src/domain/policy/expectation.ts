import type { Request } from '../envoy/rbac.ts'
import {
  developerPort,
  type Installation,
  localHosts,
  NODE_PROXY,
  nodeNamespace,
  servingPorts,
} from '../installation.ts'
import { isWithin } from '../repository.ts'
import type { Exposure } from './exposure.ts'
import { exposureExpectations } from './exposure-expectation.ts'
import { type Grant, grantPort, isDeveloper } from './grant.ts'
import { spiffeId } from './identity.ts'

/** What the registry's proxy must answer to a request once the policies are in force. */
export type Expectation = { readonly request: Request; readonly allowed: boolean; readonly why: string }

/**
 * Stands for any service account of a namespace, for a namespace and a repository nobody grants: a name that neither
 * Kubernetes nor `repositoryName` accepts, so that no grant can make an expectation wrong.
 */
export const PROBE = 'REGCTL-PROBE'

type Ask = (principal: string, method: string, path: string, port: number) => Request

/** The whole matrix for these grants: what each grantee may and may not, what nodes, strangers and gateways may not. */
export function expectations(
  at: Installation,
  trustDomain: string,
  grants: readonly Grant[],
  exposures: readonly Exposure[] = [],
): readonly Expectation[] {
  const ask: Ask = (principal, method, path, port) => ({
    principal,
    method,
    path,
    host: localHosts(at)[0] ?? '',
    port,
  })
  const node = spiffeId(trustDomain, nodeNamespace(at), NODE_PROXY)
  const stranger = spiffeId(trustDomain, PROBE, 'default')
  const expect = (who: string, method: string, path: string, allowed: boolean, why: string): Expectation => ({
    request: ask(who, method, path, at.port),
    allowed,
    why,
  })
  return [
    expect(node, 'GET', '/v2/any/manifests/1', true, 'nodes pull'),
    expect(node, 'PUT', '/v2/any/manifests/1', false, 'nodes never write'),
    expect(node, 'GET', '/v2/_catalog', false, 'nodes never list'),
    expect(stranger, 'GET', '/v2/', false, 'strangers get nothing'),
    expect(stranger, 'PUT', '/v2/any/manifests/1', false, 'strangers never write'),
    ...nothingAt(at, ask, developerPort(at), node, 'nodes'),
    ...nothingAt(at, ask, developerPort(at), stranger, 'strangers'),
    ...grants.flatMap((grant) => grantExpectations(at, grant, trustDomain, grants, ask)),
    ...exposureExpectations(at, trustDomain, exposures),
  ].filter(({ request: { port } }) => serves(at, port))
}

/** A port that does not exist refuses everybody. */
const serves = (at: Installation, port: number): boolean => servingPorts(at).includes(port)

/** Builders and developers get nothing by each other's port. */
function nothingAt(at: Installation, ask: Ask, port: number, who: string, whose: string): readonly Expectation[] {
  const by = port === at.port ? "the builders' port" : "the developers' port"
  const why = `${whose} get nothing by ${by}`
  return ['GET', 'POST'].map((method) => ({ request: ask(who, method, '/v2/', port), allowed: false, why }))
}

function grantExpectations(
  at: Installation,
  grant: Grant,
  trustDomain: string,
  grants: readonly Grant[],
  ask: Ask,
): readonly Expectation[] {
  const who = spiffeId(trustDomain, grant.namespace, grant.serviceAccount ?? PROBE)
  const { repository, namespace } = grant
  const below = `${repository}/${PROBE}`
  const port = grantPort(at, grant)
  const other = isDeveloper(grant) ? at.port : developerPort(at)
  // By all grants of the identity: a wider one may give what this one does not.
  const pushes = (where: string) => grants.some((one) => !one.readOnly && appliesTo(one, grant) && covers(one, where))
  const expect = (method: string, path: string, allowed: boolean, what: string): Expectation => ({
    request: ask(who, method, path, port),
    allowed,
    why: `${grant.developer ?? namespace} on ${repository}: ${what}`,
  })
  return [
    expect('GET', `/v2/${repository}/manifests/1`, true, 'read'),
    expect('POST', `/v2/${repository}/blobs/uploads/`, pushes(repository), pushes(repository) ? 'upload' : 'no upload'),
    expect('PUT', `/v2/${repository}/manifests/1`, pushes(repository), pushes(repository) ? 'push' : 'no push'),
    expect('PUT', `/v2/${below}/manifests/1`, pushes(below), pushes(below) ? 'push below' : 'no push below'),
    expect('PUT', `/v2/${PROBE}/manifests/1`, false, 'nothing elsewhere'),
    expect('DELETE', `/v2/${repository}/manifests/1`, false, 'no deletion'),
    ...nothingAt(at, ask, other, who, `${grant.developer ?? `workloads of ${namespace}`}`),
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
  const port = grantPort(at, revoked)
  if (!serves(at, port)) return []
  const base = {
    principal: spiffeId(trustDomain, namespace, serviceAccount),
    host: localHosts(at)[0] ?? '',
    port,
    path: `/v2/${repository}/manifests/1`,
  }
  const own = left.filter((other) => appliesTo(other, revoked))
  const pushes = own.some((other) => !other.readOnly && covers(other, repository))
  const reads = own.some((other) => !other.readOnly || covers(other, repository))
  const why = `${revoked.developer ?? namespace} on ${repository}`
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
    const base = { principal, path: `/v2/${PROBE}/manifests/1`, host: localHosts(at)[0] ?? '' }
    const why = `the grants of ${namespace} are gone with it and regctl up lets the fence forget it`
    return servingPorts(at).flatMap((port) =>
      ['GET', 'PUT'].map((method) => ({ request: { ...base, method, port }, allowed: false, why })),
    )
  })
}

const covers = (grant: Grant, repository: string): boolean =>
  grant.repository === repository || (!grant.exact && isWithin(repository, grant.repository))

/** Has whoever `of` is for the grant `grant` as well? */
const appliesTo = (grant: Grant, of: Grant): boolean =>
  grant.namespace === of.namespace &&
  isDeveloper(grant) === isDeveloper(of) &&
  (grant.serviceAccount === undefined || grant.serviceAccount === of.serviceAccount)
