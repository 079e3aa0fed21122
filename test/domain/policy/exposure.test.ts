import { describe, expect, test } from 'vitest'
import { decide } from '../../../src/domain/envoy/rbac.ts'
import type { KubeObject } from '../../../src/domain/kube-object.ts'
import { expectations } from '../../../src/domain/policy/expectation.ts'
import {
  type Exposure,
  exposedRepository,
  exposePrincipal,
  exposes,
  exposureName,
  exposureOf,
  exposurePolicy,
} from '../../../src/domain/policy/exposure.ts'
import { narrowedExpectations } from '../../../src/domain/policy/exposure-expectation.ts'
import { fence, outlived, readNodes } from '../../../src/domain/policy/fence.ts'
import { at, grantFrom } from '../at.ts'
import { rbacFilters } from './istio.ts'
import { policiesOf } from './policies.ts'

const exposure = (host: string, ...repositories: readonly string[]): Exposure => ({
  host,
  repositories,
  way: 'secret',
  secret: 'web',
  principals: [exposePrincipal(at)],
})

const OPEN: KubeObject = {
  apiVersion: 'security.istio.io/v1',
  kind: 'AuthorizationPolicy',
  metadata: { namespace: 'istio-system', name: 'open' },
  spec: { action: 'ALLOW', rules: [{ to: [{ operation: {} }] }] },
}

const EXPOSURES = [exposure('a.example', 'shop/app', 'docs/*'), exposure('b.example')]
const GRANTS = ['ci team', 'ci/pusher shop/app exact'].map(grantFrom)
const OURS = [
  ...policiesOf(GRANTS),
  ...EXPOSURES.map((one) => exposurePolicy(at, one)),
  fence(at, { grants: GRANTS, exposures: EXPOSURES }),
]
const principal = 'spiffe://cluster.local/ns/kube-registry-expose/sa/registry-expose'

const decides = (policies: readonly KubeObject[], host: string, method: string, path: string, port = 5000) =>
  decide(rbacFilters(policies), { principal, method, path, host, port }).allowed

/** The model of the guide: what everybody may read by a host. */
function mayRead(host: string, path: string): boolean {
  if (path === '/v2/') return true
  if (path.startsWith('/v2/_catalog') || !path.startsWith('/v2/')) return false
  if (host.startsWith('b.example')) return true
  return path.startsWith('/v2/docs/') || /^\/v2\/shop\/app\/((manifests|blobs|referrers)\/[^/]+|tags\/list)$/.test(path)
}

describe.each([
  ['alone', OURS],
  ['beside a policy that lets everybody in', [...OURS, OPEN]],
])('the policies %s', (_, policies) => {
  const hosts = ['a.example', 'A.example', 'a.example:443', 'b.example', 'b.example:8443']
  const paths = ['', '/app', '/app/web', '/app2', '2'].flatMap((end) =>
    ['shop', 'docs'].flatMap((start) =>
      [
        'manifests/1',
        'blobs/sha256:1',
        'blobs/uploads/',
        'blobs/uploads/1',
        'tags/list',
        'referrers/x',
        'manifests/',
      ].map((what) => `/v2/${start}${end}/${what}`),
    ),
  )

  test.each(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])('%s gets what is exposed', (method) => {
    for (const host of hosts)
      for (const path of ['/v2/', '/v2/_catalog', '/metrics', '/v2', ...paths]) {
        const wanted = /^(GET|HEAD)$/.test(method) && mayRead(host.toLowerCase(), path)
        expect([host, method, path, decides(policies, host, method, path)]).toEqual([host, method, path, wanted])
      }
  })

  test.each(['c.example', 'a.example.c', 'xa.example', 'localhost:5000', ''])('nothing by the host "%s"', (host) => {
    expect(decides(policies, host, 'GET', '/v2/')).toBe(false)
    expect(decides(policies, host, 'GET', '/v2/docs/manifests/1')).toBe(false)
  })

  test("nothing by the developers' port", () => {
    expect(decides(policies, 'b.example', 'GET', '/v2/', 5443)).toBe(false)
  })

  test('meet what is proven', () => {
    const filters = rbacFilters(policies)
    const unmet = expectations(at, 'cluster.local', GRANTS, EXPOSURES).filter(
      ({ request, allowed }) => decide(filters, request).allowed !== allowed,
    )
    expect(policies === OURS ? unmet : []).toEqual([])
  })
})

test('what is proven fails with each policy that is missing or wider', () => {
  const unmetBy = (policies: readonly KubeObject[]) =>
    expectations(at, 'cluster.local', [], EXPOSURES).filter(
      ({ request, allowed }) => decide(rbacFilters(policies), request).allowed !== allowed,
    )
  const [first, second] = EXPOSURES
  if (first === undefined || second === undefined) throw new Error('two exposures')
  const base = [readNodes(at), fence(at, { grants: [], exposures: EXPOSURES })]
  const both = [first, second].map((one) => exposurePolicy(at, one))
  expect(unmetBy([...base, ...both])).toEqual([])
  expect(unmetBy([...base, ...both.slice(1)])).not.toEqual([])
  expect(unmetBy([readNodes(at), fence(at, { grants: [], exposures: [second] }), ...both])).not.toEqual([])
  const wide = exposurePolicy(at, { ...first, repositories: [] })
  expect(
    unmetBy([
      readNodes(at),
      fence(at, { grants: [], exposures: [{ ...first, repositories: [] }, second] }),
      wide,
      ...both.slice(1),
    ]),
  ).not.toEqual([])
})

test('after narrowing, what is gone is asked for, and what is left is not', () => {
  const before = exposure('a.example', 'shop/app', 'docs/*')
  const asks = (...now: readonly Exposure[]) =>
    narrowedExpectations(at, 'cluster.local', before, now).map(({ request: { path }, allowed }) => [path, allowed])
  expect(asks(before)).toEqual([])
  expect(asks(exposure('a.example'))).toEqual([])
  expect(asks(exposure('a.example', 'docs/*'))).toEqual([['/v2/shop/app/manifests/1', false]])
  expect(asks(exposure('a.example', 'docs'))).toEqual([['/v2/shop/app/manifests/1', false]])
  expect(asks(exposure('b.example')).map(([path]) => path)).toEqual([
    '/v2/',
    '/v2/shop/app/manifests/1',
    '/v2/docs/manifests/1',
  ])
  const all = narrowedExpectations(at, 'cluster.local', exposure('a.example'), [exposure('a.example', 'docs')])
  expect(all.map(({ request }) => request.path)).toEqual(['/v2/REGCTL-PROBE/manifests/1'])
})

test('a fence knows the gateways, and which are gone', () => {
  expect(outlived(at, fence(at, { grants: [], exposures: EXPOSURES }), [], EXPOSURES)).toEqual([])
  expect(outlived(at, fence(at, { grants: [], exposures: EXPOSURES }), [])).toEqual([exposePrincipal(at)])
})

test('an exposure is read back from its policy, and from nothing else', () => {
  for (const one of EXPOSURES) expect(exposureOf(exposurePolicy(at, one))).toEqual(one)
  const policy = exposurePolicy(at, exposure('a.example'))
  const annotated = (text: string): KubeObject => ({
    ...policy,
    metadata: { ...policy.metadata, annotations: { 'regctl.dev/exposure': text } },
  })
  expect(exposureOf({ ...policy, metadata: { ...policy.metadata, annotations: {} } })).toBeUndefined()
  for (const text of ['', '{}', '[]', 'null', JSON.stringify(exposure('b.example'))])
    expect(exposureOf(annotated(text))).toBeUndefined()
})

test('names are names of objects, and one for each host', () => {
  const hosts = ['a.example', 'a-example', `${'a'.repeat(63)}.${'b'.repeat(63)}.example`, 'xn--e1afmkfd.example']
  const names = hosts.map(exposureName)
  for (const name of names) expect(name).toMatch(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/)
  expect(new Set(names).size).toBe(hosts.length)
})

test.each(['a', 'shop/app', 'shop/*', 'a/b/c/*'])('%s can be exposed', (text) => {
  expect(exposedRepository(text)).toBe(text)
})

test.each(['*', '/*', 'shop*', '*/app', 'shop/*/app', 'Shop', 'shop:1', 'shop/**', ''])('"%s" cannot', (text) => {
  expect(() => exposedRepository(text)).toThrow(expect.objectContaining({ code: 'INVALID_REPOSITORY' }))
})

test.each([
  [['shop/app'], 'shop/app', true],
  [['shop/app'], 'shop/app/web', false],
  [['shop/*'], 'shop/app/web', true],
  [['shop/*'], 'shop', true],
  [['shop/*'], 'shop2', false],
  [[], 'any', true],
] as const)('%j exposes %s: %s', (repositories, repository, isExposed) => {
  expect(exposes({ repositories }, repository)).toBe(isExposed)
})
