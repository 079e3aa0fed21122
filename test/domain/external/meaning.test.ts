import { describe, expect, test } from 'vitest'
import { decide, type Request } from '../../../src/domain/envoy/rbac.ts'
import { externalExpectations, revokedExternalExpectations } from '../../../src/domain/external/expectation.ts'
import type { ExternalGrant } from '../../../src/domain/external/grant.ts'
import { externalObjects } from '../../../src/domain/external/objects.ts'
import type { KubeObject } from '../../../src/domain/kube-object.ts'
import { authorizationPolicy } from '../../../src/domain/policy/authorization-policy.ts'
import { type Exposure, exposurePolicy } from '../../../src/domain/policy/exposure.ts'
import { fence } from '../../../src/domain/policy/fence.ts'
import { at, grantFrom } from '../at.ts'
import { rbacFilters } from '../policy/istio.ts'
import { policiesOf } from '../policy/policies.ts'
import { exposed, external, GITHUB, GITLAB, MAIN, shared } from './sets.ts'

const BUILDERS = [grantFrom('ci team')]
const EXPOSURES = [exposed('registry.example', 'public/*'), exposed('all.example'), shared('shared.example')]
const OPEN: KubeObject = authorizationPolicy(at, 'everybody', {
  action: 'ALLOW',
  rules: [{ to: [{ operation: { ports: ['5000', '5443'] } }] }],
})

/** The filters in force with these grants, and with somebody's policy that lets everybody in. */
function inForce(
  grants: readonly ExternalGrant[],
  exposures: readonly Exposure[] = EXPOSURES,
  more = [] as KubeObject[],
) {
  const objects = externalObjects(at, grants, new Map())
  const policies = [
    ...policiesOf(BUILDERS).filter(({ metadata }) => metadata.name !== 'fence'),
    fence(at, { grants: BUILDERS, exposures, external: grants }),
    ...exposures.map((one) => exposurePolicy(at, one)),
    ...objects.filter(({ kind }) => kind === 'AuthorizationPolicy'),
    ...more,
  ]
  const mounts = objects.filter(({ kind }) => kind === 'EnvoyFilter')
  type Inserted = { configPatches: { patch: { value: { typed_config: { rules: object } } } }[] }
  return [
    ...rbacFilters(policies),
    ...mounts.map(({ spec }) => (spec as Inserted).configPatches[0]?.patch.value.typed_config.rules ?? {}),
  ]
}

const SETS: Readonly<Record<string, readonly ExternalGrant[]>> = {
  'one subject': [external('team')],
  'a subject with two': [external('team', { exact: true }), external('other')],
  'two subjects of one issuer': [external('team'), external('other', { subject: 'two' })],
  'one name at two issuers': [external('team'), external('other', { issuer: GITLAB })],
  'two audiences': [external('team'), external('other', { audience: 'else' })],
}

const PRINCIPALS = {
  gateway: 'spiffe://cluster.local/ns/kube-registry-expose/sa/registry-expose',
  shared: 'spiffe://cluster.local/ns/web/sa/gateway',
  builder: 'spiffe://cluster.local/ns/ci/sa/default',
  node: 'spiffe://cluster.local/ns/kube-registry-node/sa/registry-node',
  stranger: 'spiffe://cluster.local/ns/else/sa/default',
}
const HOSTS = ['registry.example', 'all.example', 'shared.example', 'localhost:5000', 'other.example']
const TOKENS = [
  undefined,
  ...[GITHUB, GITLAB, 'https://else'].flatMap((iss) =>
    [MAIN, 'two', 'three'].flatMap((sub) => ['registry', 'else'].map((aud) => ({ iss, sub, aud }))),
  ),
]
const PATHS = [
  '/v2/',
  '/v2/_catalog',
  ...['team', 'team/app', 'team2', 'other', 'public/app', 'public'].flatMap((repository) =>
    ['manifests/1', 'blobs/sha256:1', 'blobs/uploads/', 'blobs/uploads/7', 'tags/list'].map(
      (end) => `/v2/${repository}/${end}`,
    ),
  ),
]

const covers = ({ repository, exact }: ExternalGrant, path: string): boolean =>
  exact
    ? new RegExp(`^/v2/${repository}/(manifests/[^/]+|blobs/uploads/[^/]*|blobs/[^/]+|tags/list)$`).test(path)
    : path.startsWith(`/v2/${repository}/`)

const isUpload = (path: string): boolean => /\/(manifests\/[^/]+|blobs\/uploads\/[^/]*)$/.test(path)

/** What those outside may, in the words of the guide: the oracle. */
function means(grants: readonly ExternalGrant[], { principal, method, path, host, claims, query }: Request): boolean {
  const name = host.replace(/:\d+$/, '')
  const exposure = EXPOSURES.find((one) => one.host === name)
  if (exposure === undefined || path === '/v2/_catalog') return false
  if (principal !== `spiffe://${exposure.principals[0]}`) return false
  const reads = method === 'GET' || method === 'HEAD'
  const isExposed = exposure.repositories.length === 0 || path === '/v2/' || path.startsWith('/v2/public/')
  if (reads && isExposed) return true
  if (exposure.way !== 'secret' || !['GET', 'HEAD', 'POST', 'PUT', 'PATCH'].includes(method)) return false
  const own = grants.filter(
    (one) => one.issuer === claims?.iss && one.subject === claims.sub && one.audience === claims.aud,
  )
  if (method === 'POST' && query !== undefined) return false
  return own.some((one) => covers(one, path) && (!one.exact || (reads ? !path.endsWith('/') : isUpload(path))))
}

describe.each(Object.entries(SETS))('%s', (_, grants) => {
  const filters = inForce(grants)

  test('gets what the guide says, by whatever way and with whatever token', () => {
    const wrong: string[] = []
    for (const principal of [PRINCIPALS.gateway, PRINCIPALS.shared])
      for (const host of HOSTS)
        for (const claims of TOKENS)
          for (const path of PATHS)
            for (const method of ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE']) {
              const request = { principal, host, path, method, port: 5000, ...(claims === undefined ? {} : { claims }) }
              if (decide(filters, request).allowed !== means(grants, request)) wrong.push(JSON.stringify(request))
            }
    expect(wrong).toEqual([])
  })

  test('a token is worth nothing at builders, nodes and strangers, and changes nothing for them', () => {
    const wrong: string[] = []
    for (const principal of [PRINCIPALS.builder, PRINCIPALS.node, PRINCIPALS.stranger])
      for (const path of PATHS)
        for (const method of ['GET', 'POST', 'PUT', 'DELETE']) {
          const request = { principal, host: 'localhost:5000', path, method, port: 5000 }
          const without = decide(filters, request).allowed
          for (const claims of TOKENS)
            if (claims !== undefined && decide(filters, { ...request, claims }).allowed !== without)
              wrong.push(JSON.stringify({ ...request, claims }))
        }
    expect(wrong).toEqual([])
  })

  test("nor at the developers' port", () => {
    for (const principal of Object.values(PRINCIPALS))
      for (const claims of TOKENS)
        for (const method of ['GET', 'POST', 'PUT']) {
          const request = { principal, host: 'registry.example', path: '/v2/team/manifests/1', method, port: 5443 }
          expect(decide(filters, claims === undefined ? request : { ...request, claims }).allowed).toBe(false)
        }
  })

  test('no mount, spelled however, from outside; builders keep theirs', () => {
    const post = { host: 'registry.example', path: '/v2/team/blobs/uploads/', method: 'POST', port: 5000 }
    const claims = { iss: GITHUB, sub: MAIN, aud: 'registry' }
    expect(decide(filters, { ...post, principal: PRINCIPALS.gateway, claims }).allowed).toBe(true)
    for (const query of ['mount=a&from=b', '%6Dount=a&%66rom=b', ''])
      expect(decide(filters, { ...post, principal: PRINCIPALS.gateway, claims, query }).allowed).toBe(false)
    expect(decide(filters, { ...post, principal: PRINCIPALS.builder, query: 'mount=a&from=b' }).allowed).toBe(true)
  })

  test("the fence holds under somebody's policy that lets everybody in", () => {
    const open = inForce(grants, EXPOSURES, [OPEN])
    const wrong: string[] = []
    for (const principal of [PRINCIPALS.gateway, PRINCIPALS.shared])
      for (const host of HOSTS)
        for (const claims of TOKENS)
          for (const path of PATHS)
            for (const method of ['POST', 'PUT', 'PATCH', 'DELETE']) {
              const request = { principal, host, path, method, port: 5000, ...(claims === undefined ? {} : { claims }) }
              // It may make a grant good for another audience of the same issuer, nothing else.
              const any = [...grants, ...grants.map((one) => ({ ...one, audience: claims?.aud ?? '', exact: false }))]
              if (decide(open, request).allowed && !means(any, request)) wrong.push(JSON.stringify(request))
            }
    expect(wrong).toEqual([])
  })

  test('is as expected in the proof, and what is not granted is not', () => {
    const entrance = { principal: PRINCIPALS.gateway.replace('spiffe://', ''), host: 'registry.example' }
    const faults = (some: readonly ExternalGrant[]) =>
      externalExpectations(at, 'cluster.local', entrance, some).filter(
        ({ request, allowed }) => decide(filters, request).allowed !== allowed,
      )
    expect(faults(grants)).toEqual([])
    expect(faults([external('elsewhere')])).not.toEqual([])
    for (const grant of grants) {
      const left = grants.filter((one) => one !== grant)
      const gone = revokedExternalExpectations(at, 'cluster.local', entrance, grant, left)
      const after = inForce(left)
      expect(gone).not.toEqual([])
      expect(gone.filter(({ request, allowed }) => decide(after, request).allowed !== allowed)).toEqual([])
      expect(gone.some(({ request, allowed }) => decide(filters, request).allowed !== allowed)).toBe(true)
    }
  })
})

test('without a host of our own gateway a token is worth nothing', () => {
  const filters = inForce([external('team')], [shared('shared.example')])
  const claims = { iss: GITHUB, sub: MAIN, aud: 'registry' }
  for (const principal of Object.values(PRINCIPALS).filter((one) => one !== PRINCIPALS.builder)) {
    const put = { principal, host: 'shared.example', path: '/v2/team/manifests/1', method: 'PUT', port: 5000, claims }
    expect(decide(filters, put).allowed).toBe(false)
  }
})
