import { type Installation, localHosts, NODE_PROXY, nodeNamespace, servingPorts } from '../installation.ts'
import { isWithin } from '../repository.ts'
import { isShared, privateOnes, type Tenant, type Tenants } from '../tenant/tenants.ts'
import { type Expectation, PROBE } from './expectation.ts'
import type { Exposure } from './exposure.ts'
import type { Given } from './given.ts'
import { type Grant, grantPort } from './grant.ts'
import { spiffeId } from './identity.ts'

/** Every pair of so many is looked at; of more, each tenant and the grants next to it. */
const PAIRS = 600

/**
 * What private tenants mean at the registry's proxy: everybody's grants read on where they may and nowhere else, nodes
 * pull, and nobody mounts a blob from elsewhere. `of` are the tenants or grantees that a change was about.
 */
export function privateExpectations(
  at: Installation,
  trustDomain: string,
  state: Tenants,
  { grants: all, exposures }: Pick<Given, 'grants' | 'exposures'>,
  of?: readonly string[],
): readonly Expectation[] {
  const tenants = privateOnes(state)
  const grants = all.filter((grant) => servingPorts(at).includes(grantPort(at, grant)))
  const pairs = tenants.flatMap((tenant, index) =>
    grants
      .map((grant, other) => ({ tenant, grant, isNext: isNext(index, other, grants.length) }))
      .filter(({ grant }) => of === undefined || of.includes(tenant.namespace) || of.includes(grant.namespace)),
  )
  const chosen = pairs.length <= PAIRS ? pairs : pairs.filter((pair) => pair.isNext)
  const reads = chosen.map(({ tenant, grant }) => readExpectation(at, trustDomain, state, grants, tenant, grant))
  const host = localHosts(at)[0] ?? ''
  const node = spiffeId(trustDomain, nodeNamespace(at), NODE_PROXY)
  const pulls = tenants.map(
    ({ namespace }): Expectation => ({
      request: { principal: node, method: 'GET', path: `/v2/${namespace}/manifests/1`, host, port: at.port },
      allowed: true,
      why: `nodes pull for ${namespace}`,
    }),
  )
  const exposed = tenants.flatMap(({ namespace }) => notExposed(trustDomain, namespace, exposures, at.port))
  return [...reads, ...pulls, ...exposed, ...mountExpectations(at, trustDomain, tenants, grants)]
}

/** What is exposed as a whole is not what is private. */
const notExposed = (
  trustDomain: string,
  tenant: string,
  exposures: readonly Exposure[],
  port: number,
): readonly Expectation[] =>
  exposures
    .filter(({ repositories }) => repositories.length === 0)
    .flatMap(({ host, principals }) =>
      principals.map((principal) => ({
        request: {
          principal: `spiffe://${principal.replace(/^cluster\.local/, trustDomain)}`,
          method: 'GET',
          path: `/v2/${tenant}/${PROBE}/manifests/1`,
          host,
          port,
        },
        allowed: false,
        why: `${host} does not expose what is ${tenant}'s`,
      })),
    )

const isNext = (index: number, other: number, count: number): boolean =>
  [0, 1].some((step) => (index + step) % count === other)

function readExpectation(
  at: Installation,
  trustDomain: string,
  state: Tenants,
  grants: readonly Grant[],
  { namespace }: Tenant,
  grant: Grant,
): Expectation {
  const repository = `${namespace}/${PROBE}`
  const own = grants.filter(
    (one) =>
      one.namespace === grant.namespace &&
      (one.developer === undefined) === (grant.developer === undefined) &&
      (one.serviceAccount === undefined || one.serviceAccount === grant.serviceAccount),
  )
  const covered = own.some((one) => !one.exact && isWithin(repository, one.repository))
  const everything = own.some((one) => !one.readOnly)
  const open = grant.namespace === namespace || isShared(state, repository, grant.namespace)
  const allowed = covered || (everything && open)
  return {
    request: {
      principal: spiffeId(trustDomain, grant.namespace, grant.serviceAccount ?? PROBE),
      method: 'GET',
      path: `/v2/${repository}/manifests/1`,
      host: localHosts(at)[0] ?? '',
      port: grantPort(at, grant),
    },
    allowed,
    why: `${grant.developer ?? grant.namespace} ${allowed ? 'reads' : 'does not read'} what is ${namespace}'s`,
  }
}

/** Whoever may upload may do so without a source. */
function mountExpectations(
  at: Installation,
  trustDomain: string,
  tenants: readonly Tenant[],
  grants: readonly Grant[],
): readonly Expectation[] {
  const writer = grants.find((grant) => !grant.readOnly)
  const [tenant] = tenants
  if (writer === undefined || tenant === undefined) return []
  const request = {
    principal: spiffeId(trustDomain, writer.namespace, writer.serviceAccount ?? PROBE),
    method: 'POST',
    path: `/v2/${writer.repository}/blobs/uploads/`,
    host: localHosts(at)[0] ?? '',
    port: grantPort(at, writer),
  }
  const why = `nobody mounts blobs of ${tenant.namespace}`
  const query = `mount=sha256:0&from=${tenant.namespace}`
  return [
    { request: { ...request, query }, allowed: false, why },
    { request: { ...request, contentType: 'application/x-www-form-urlencoded' }, allowed: false, why },
    { request: { ...request, contentType: 'Multipart/form-data' }, allowed: false, why },
    {
      request: { ...request, contentType: 'application/octet-stream' },
      allowed: true,
      why: `${writer.namespace} uploads`,
    },
  ]
}
