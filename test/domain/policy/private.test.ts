import { describe, expect, test } from 'vitest'
import { decide, type Request } from '../../../src/domain/envoy/rbac.ts'
import type { Spec } from '../../../src/domain/policy/authorization-policy.ts'
import { type Exposure, exposePrincipal, exposurePolicy } from '../../../src/domain/policy/exposure.ts'
import { readNodes } from '../../../src/domain/policy/fence.ts'
import { type Grant, grantPolicy } from '../../../src/domain/policy/grant.ts'
import { spiffeId } from '../../../src/domain/policy/identity.ts'
import { followingPolicies } from '../../../src/domain/policy/policies.ts'
import { privatePolicy } from '../../../src/domain/policy/private.ts'
import { privateExpectations } from '../../../src/domain/policy/private-expectation.ts'
import { isWithin } from '../../../src/domain/repository.ts'
import { mountFilter } from '../../../src/domain/stack/mount-filter.ts'
import { NO_TENANTS, type Tenants } from '../../../src/domain/tenant/tenants.ts'
import { at, grantFrom } from '../at.ts'
import { rbacFilters } from './istio.ts'
import { means } from './model.ts'
import { everything, given, policiesOf } from './policies.ts'

const shareFrom = (text: string) => {
  const [repository = '', namespace = ''] = text.split(' with ')
  return { repository, namespace, uid: `uid-${namespace}` }
}

/** Tenants, shares and grants as one writes them: `a b`, `a/base with x`, `ci/pusher team exact`. */
function stateOf(tenants: string, shares: readonly string[]): Tenants {
  return {
    ...NO_TENANTS,
    tenants: tenants.split(' ').map((namespace) => ({ namespace, uid: `uid-${namespace}`, private: true })),
    shares: shares.map(shareFrom),
  }
}

const SETS: readonly { tenants: string; shares: readonly string[]; grants: readonly string[] }[] = [
  { tenants: 'a', shares: [], grants: ['a a', 'ci team'] },
  { tenants: 'a b', shares: [], grants: ['a a', 'b b', 'ci team read', 'ci/pusher team'] },
  { tenants: 'a b', shares: ['a/base with b'], grants: ['a a', 'b b', 'ci team'] },
  { tenants: 'a b', shares: ['a with b', 'b/x with a', 'a/base with ci'], grants: ['a a', 'b/pusher b', 'ci team'] },
  { tenants: 'a', shares: [], grants: ['a a', 'ci a/app', 'ci/pusher a/base exact', 'ci team'] },
  { tenants: 'a', shares: ['a/base with ci'], grants: ['a a', 'ci/pusher a/app exact read', 'ci/pusher team', 'ci x'] },
  { tenants: 'a', shares: [], grants: ['a a', 'a/dev a user:ada', 'ci/dev team user:bob', 'ci/other a/app user:eve'] },
  { tenants: 'a', shares: ['a/base with ci', 'a/base with web', 'a/app with web'], grants: ['a a', 'ci t', 'web w'] },
  { tenants: 'a b', shares: [], grants: ['a a', 'b b', 'ci team'] },
  { tenants: 'a b ci', shares: ['b/x with ci'], grants: ['a a', 'a a/app read', 'b b', 'ci ci'] },
  { tenants: 'a b', shares: [], grants: ['a a', 'a team exact', 'b b', 'b a/base read'] },
  { tenants: 'a b', shares: [], grants: ['a a/app', 'b b exact', 'ci b'] },
]

const IDENTITIES = ['a/default', 'a/dev', 'b/default', 'b/pusher', 'ci/pusher', 'ci/default', 'ci/dev', 'ci/other']
const NODE = ['kube-registry-node/registry-node', 'web/default', 'nobody/default']
const REPOSITORIES = ['a', 'a/app', 'a/app/x', 'a/base', 'a/base2', 'ab', 'b', 'b/x', 'team', 'x/a']
const ENDS = ['manifests/1', 'blobs/sha256:ab', 'tags/list', 'blobs/uploads/', 'referrers/sha256:ab']

const requests: readonly Request[] = [...IDENTITIES, ...NODE].flatMap((identity) => {
  const [namespace = '', account = ''] = identity.split('/')
  return [at.port, 5443].flatMap((port) =>
    ['GET', 'HEAD', 'PUT', 'POST'].flatMap((method) =>
      REPOSITORIES.flatMap((repository) =>
        ENDS.map((end) => ({
          principal: spiffeId('cluster.local', namespace, account),
          method,
          path: `/v2/${repository}/${end}`,
          host: 'localhost:5000',
          port,
        })),
      ),
    ),
  )
})

/** What the guide says of private tenants: of what grants give, reads of others end where nothing opens them. */
function opens(state: Tenants, grants: ReturnType<typeof grantFrom>[], request: Request): boolean {
  const [, repository = ''] = /^\/v2\/(.*?)\/(manifests|blobs|tags|referrers)\//.exec(request.path) ?? []
  // An exact grant reads sessions by their number, and there is nothing else to read of them.
  const isSession = ['GET', 'HEAD'].includes(request.method) && request.path.endsWith('/uploads/')
  const tenant = state.tenants.find(({ namespace }) => isWithin(repository, namespace))?.namespace
  const [, namespace, account] = /\/ns\/([^/]+)\/sa\/([^/]+)$/.exec(request.principal) ?? []
  if (tenant === undefined || namespace === tenant || namespace === 'kube-registry-node') return true
  if (state.shares.some((share) => share.namespace === namespace && isWithin(repository, share.repository))) return true
  return grants.some(
    (grant) =>
      grant.namespace === namespace &&
      (grant.serviceAccount ?? account) === account &&
      (grant.exact
        ? repository === grant.repository && !(isSession && grant.readOnly)
        : isWithin(repository, grant.repository)),
  )
}

describe('the policies decide as tenants mean', () => {
  test.each(SETS)('$tenants; $shares; $grants', ({ tenants, shares, grants: texts }) => {
    const state = stateOf(tenants, shares)
    const grants = texts.map(grantFrom)
    const developed = { ...at, ...(grants.some(({ developer }) => developer) ? { developers: true as const } : {}) }
    const filters = rbacFilters(policiesOf(grants, at, state))
    const wrong = requests
      .filter(
        (request) => decide(filters, request).allowed !== (means(grants, request) && opens(state, grants, request)),
      )
      .map(({ principal, method, port, path }) => `${principal} ${method} ${port} ${path}`)
    expect(wrong).toEqual([])
    const rules = patchOf(mountFilter(at))
    const unmet = privateExpectations(developed, 'cluster.local', state, given(grants)).filter(
      ({ request, allowed }) => decide([...filters, rules], request).allowed !== allowed,
    )
    expect(unmet).toEqual([])
  })

  test.each(SETS)(
    'an ALLOW of somebody else opens nobody a tenant, and lets nobody write more: $tenants; $shares; $grants',
    ({ tenants, shares, grants: texts }) => {
      const state = stateOf(tenants, shares)
      const grants = texts.map(grantFrom)
      const filters = rbacFilters([...policiesOf(grants, at, state), everything])
      const through = requests.filter((request) => decide(filters, request).allowed)
      const known = new Set(['kube-registry-node', ...grants.map(({ namespace }) => namespace)])
      const wrong = through.filter(
        (request) =>
          !opens(state, grants, request) ||
          !known.has(/\/ns\/([^/]+)\//.exec(request.principal)?.[1] ?? '') ||
          (!['GET', 'HEAD'].includes(request.method) && !writes(grants, request)),
      )
      expect(wrong.map(({ principal, method, port, path }) => `${principal} ${method} ${port} ${path}`)).toEqual([])
    },
  )
})

/** What a namespace may write, whichever of its accounts: its own fence tells no account from another. */
const writes = (grants: readonly Grant[], request: Request): boolean =>
  grants.some(
    (grant) =>
      request.principal.includes(`/ns/${grant.namespace}/`) &&
      (grant.developer !== undefined) === (request.port !== at.port) &&
      means([grant], {
        ...request,
        principal: spiffeId('cluster.local', grant.namespace, grant.serviceAccount ?? 'default'),
      }),
  )

describe('what is exposed', () => {
  const gateway = exposePrincipal(at)
  const exposure = (host: string, ...repositories: readonly string[]): Exposure => ({
    host,
    repositories,
    way: 'secret',
    principals: [gateway],
  })
  const all = exposure('all.example.org')
  const named = exposure('a.example.org', 'a/base/*', 'team/app')
  const exposures = [all, named]
  const grants = ['a a', 'ci team'].map(grantFrom)
  const state = stateOf('a', [])
  const filters = rbacFilters([
    readNodes(at),
    ...grants.map((grant) => grantPolicy(at, grant)),
    ...exposures.map((one) => exposurePolicy(at, one)),
    ...followingPolicies(at, given(grants, { exposures }), state),
  ])
  const reads = (host: string, repository: string) =>
    decide(filters, {
      principal: `spiffe://${gateway}`,
      method: 'GET',
      path: `/v2/${repository}/manifests/1`,
      host,
      port: at.port,
    }).allowed

  test('by its name stays so, and as a whole leaves out what is private', () => {
    expect([reads(named.host, 'a/base/x'), reads(named.host, 'team/app'), reads(all.host, 'team/app')]).toEqual([
      true,
      true,
      true,
    ])
    expect([reads(named.host, 'a/app'), reads(all.host, 'a/app')]).toEqual([false, false])
    const wanted = privateExpectations(at, 'cluster.local', state, given(grants, { exposures }))
    expect(wanted.map(({ why }) => why)).toContain("all.example.org does not expose what is a's")
    const unmet = wanted.filter(
      ({ request, allowed }) => decide([...filters, patchOf(mountFilter(at))], request).allowed !== allowed,
    )
    expect(unmet).toEqual([])
  })

  test('to somebody with a token opens what the token gives', () => {
    const grant = { issuer: 'https://i', subject: 's', audience: 'x', repository: 'a/app', exact: false }
    const spec = privatePolicy(at, { namespace: 'a' }, state, given(grants, { exposures: [all], external: [grant] }))
    expect((spec.spec as Spec).rules.at(-1)).toEqual({
      from: [{ source: { principals: [gateway] } }],
      to: [{ operation: { ports: ['5000', '5443'], paths: ['/v2/a/*'], notPaths: ['/v2/a/app/*'] } }],
    })
  })
})

test('guests with the same rights stand in one rule', () => {
  const shares = Array.from({ length: 600 }, (_, index) => shareFrom(`a/base with ns${index}`))
  const { rules } = privatePolicy(at, { namespace: 'a' }, { shares }, given([])).spec as { rules: readonly unknown[] }
  expect(rules).toHaveLength(2)
})

test('without the policies, or without the filter, the expectations say so', () => {
  const state = stateOf('a', [])
  const grants = ['a a', 'ci team'].map(grantFrom)
  const missed = (filters: Parameters<typeof decide>[0]) =>
    privateExpectations(at, 'cluster.local', state, given(grants))
      .filter(({ request, allowed }) => decide(filters, request).allowed !== allowed)
      .map(({ why }) => why)
  expect(missed([...rbacFilters(policiesOf(grants)), patchOf(mountFilter(at))])).toEqual([
    "ci does not read what is a's",
  ])
  expect(missed(rbacFilters(policiesOf(grants, at, state)))).toEqual(
    Array.from({ length: 3 }, () => 'nobody mounts blobs of a'),
  )
})

test('of hundreds each tenant is asked about its neighbours', () => {
  const names = Array.from({ length: 200 }, (_, index) => `t${index}`)
  const all = privateExpectations(
    at,
    'cluster.local',
    stateOf(names.join(' '), []),
    given(names.map((name) => grantFrom(`${name} ${name}`))),
  )
  expect(all.length).toBeLessThan(700)
  for (const name of names) expect(all.some(({ why }) => why.endsWith(`does not read what is ${name}'s`))).toBe(true)
})

describe('the mount filter', () => {
  const base = { principal: 'x', method: 'POST', path: '/v2/b/blobs/uploads/', host: 'h', port: 5000 }
  test.each<[string, Partial<Request>, boolean]>([
    ['a plain upload', {}, true],
    ['an upload in one request', { query: 'digest=sha256:ab01' }, true],
    ['the same, escaped', { query: 'digest=sha256%3Aab01' }, true],
    ['a mount', { query: 'mount=sha256:ab&from=a' }, false],
    ['a mount after a digest', { query: 'digest=sha256:ab&mount=sha256:ab&from=a' }, false],
    ['an escaped one', { query: 'digest=sha256:ab%26from=a' }, false],
    ['one by semicolon', { query: 'digest=sha256:ab;from=a' }, false],
    ['an empty query', { query: '' }, false],
    ['a form', { contentType: 'application/x-www-form-urlencoded' }, false],
    ['a form in other letters', { contentType: ' Application/X-WWW-Form-Urlencoded;a=b' }, false],
    ['a multipart form', { contentType: 'multipart/form-data; boundary=b' }, false],
    ['bytes', { contentType: 'application/octet-stream' }, true],
    ['a method nobody knows', { method: 'post', query: 'from=a' }, false],
    ['the end of an upload', { method: 'PUT', query: '_state=x&digest=sha256:ab' }, true],
    ['a page of tags', { method: 'GET', query: 'n=5' }, true],
  ])('%s', (_, more, allowed) => {
    expect(decide([patchOf(mountFilter(at))], { ...base, ...more }).allowed).toBe(allowed)
  })
})

function patchOf(filter: ReturnType<typeof mountFilter>) {
  type Patch = { readonly patch: { readonly value: { readonly typed_config: { readonly rules: object } } } }
  const [patch] = (filter.spec as { configPatches: readonly Patch[] }).configPatches
  return (patch?.patch.value.typed_config.rules ?? {}) as Parameters<typeof decide>[0][number]
}
