import { describe, expect, test } from 'vitest'
import { decide } from '../../../src/domain/envoy/rbac.ts'
import { spiffeId } from '../../../src/domain/policy/identity.ts'
import { grantFrom } from '../at.ts'
import { developerSets, grantSets } from './grant-sets.ts'
import { rbacFilters } from './istio.ts'
import { means } from './model.ts'
import { everything, policiesOf } from './policies.ts'

const IDENTITIES = [
  ['ci', 'pusher'],
  ['ci', 'default'],
  ['ci', 'dev'],
  ['ci2', 'pusher'],
  ['ci2', 'dev'],
  ['web', 'default'],
  ['nobody', 'default'],
  ['kube-registry-node', 'registry-node'],
  ['kube-registry-node', 'default'],
  ['kube-registry', 'kube-registry'],
] as const
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'get']
const REPOSITORIES = ['team', 'team/app', 'team/app/web', 'team2', 'team/app2', 'other', 'a/team']
const ENDS = [
  'manifests/1',
  'manifests/sha256:ab',
  'manifests/',
  'manifests/a/b',
  'blobs/sha256:ab',
  'blobs/',
  'blobs/uploads/',
  'blobs/uploads/7',
  'blobs/uploads/7/8',
  'tags/list',
  'tags/list/',
  'tags/other',
  'referrers/sha256:ab',
  '',
]
const PATHS = [
  '/',
  '/v2',
  '/v2/',
  '/v2/_catalog',
  '/v2/_catalog/x',
  '/metrics',
  '/v2x/team/manifests/1',
  ...REPOSITORIES.flatMap((repository) => ENDS.map((end) => `/v2/${repository}/${end}`)),
]
const PLACES = [
  ['localhost:5000', 5000],
  ['LOCALHOST:5000', 5000],
  ['[::1]:5000', 5000],
  ['localhost', 5000],
  ['registry.example:5000', 5000],
  ['localhost:5000', 15_021],
  ['localhost:5000', 5443],
  ['registry.example', 5443],
] as const

const requests = IDENTITIES.flatMap(([namespace, account]) =>
  METHODS.flatMap((method) =>
    PATHS.flatMap((path) =>
      // The place matters to nodes and ports alone, so one repository tells.
      (path.startsWith('/v2/team/') ? PLACES : PLACES.slice(0, 1)).map(([host, port]) => ({
        principal: spiffeId('cluster.local', namespace, account),
        method,
        path,
        host,
        port,
      })),
    ),
  ),
)

describe('the policies decide as the grants mean', () => {
  test.each([...grantSets, ...developerSets])('$name', ({ grants }) => {
    const filters = rbacFilters(policiesOf(grants))
    const wrong = requests
      .filter((request) => decide(filters, request).allowed !== means(grants, request))
      .map(({ principal, method, path, host, port }) => `${principal} ${method} ${host} ${port} ${path}`)
    expect(wrong).toEqual([])
  })
})

test('the fence holds against a mesh-wide ALLOW of somebody else', () => {
  const texts = ['ci/pusher team/app exact', 'web other', 'web team read', 'ci2/dev other user:ada']
  const grants = texts.map(grantFrom)
  const filters = rbacFilters([...policiesOf(grants), everything])
  const isRead = (method: string) => method === 'GET' || method === 'HEAD'
  const beyond = requests.filter((request) => decide(filters, request).allowed && !means(grants, request))
  expect(beyond.filter(({ method }) => !isRead(method))).toEqual([])
  expect(beyond.filter(({ principal }) => !/\/ns\/(ci\/sa\/pusher|web\/sa\/|ci2\/sa\/dev)/.test(principal))).toEqual([])
  const people = beyond.filter(({ port }) => port === 5443)
  expect(people.filter(({ principal }) => !principal.endsWith('/ns/ci2/sa/dev'))).toEqual([])
  expect(people.length).toBeGreaterThan(0)
  expect(beyond.filter(({ principal, port }) => port === 5000 && principal.endsWith('/sa/dev'))).toEqual([])
  expect(beyond.filter(({ path }) => !path.startsWith('/v2/') || path.startsWith('/v2/_catalog'))).toEqual([])
})
