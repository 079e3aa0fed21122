import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { describe, expect, test } from 'vitest'
import { OTHER_TYPES, OWNED_TYPES, WORKLOAD_KINDS } from '../../../src/domain/kinds.ts'
import { describeRef, refKey, refOf } from '../../../src/domain/kube-object.ts'
import { type Exposure, exposePrincipal } from '../../../src/domain/policy/exposure.ts'
import { DEFAULTS } from '../../../src/domain/settings.ts'
import { minorOf } from '../../../src/domain/stack/mesh-facts.ts'
import { stateObject } from '../../../src/domain/stack/stack.ts'
import { documents } from '../../../src/ui/documents.ts'
import { at, grantFrom } from '../at.ts'
import { find, stackWith } from './mesh-as-installed.ts'

const GRANTS = ['example-builder example', 'ci/pusher team/app exact', 'audit team/app read'].map(grantFrom)
const names = (objects: ReturnType<typeof stackWith>) => objects.map((object) => describeRef(refOf(object)))

// A change that is meant: npx vitest run --project unit --update test/domain/stack, and read the diff.
test('the whole stack with three grants, as it is applied', async () => {
  await expect(`${documents(stackWith({ grants: GRANTS }))}\n`).toMatchFileSnapshot(
    join(import.meta.dirname, '../../golden/stack.yaml'),
  )
})

test('what the way in for developers adds, and a grant to one changes', async () => {
  const grants = [...GRANTS, grantFrom('team/dev team user:ada')]
  const before = new Map(stackWith({ grants: GRANTS }).map((object) => [refKey(refOf(object)), object]))
  const added = stackWith({ grants, settings: { developerIngress: true } }).filter(
    (object) => !isDeepStrictEqual(before.get(refKey(refOf(object))), object),
  )
  await expect(`${documents(added)}\n`).toMatchFileSnapshot(
    join(import.meta.dirname, '../../golden/developer-ingress.yaml'),
  )
})

test('what a gateway on the nodes adds, and what it changes', async () => {
  const before = new Map(stackWith().map((object) => [refKey(refOf(object)), object]))
  const objects = stackWith({ settings: { nodeProxy: 'gateway' } })
  const added = objects.filter((object) => !isDeepStrictEqual(before.get(refKey(refOf(object))), object))
  await expect(`${documents(added)}\n`).toMatchFileSnapshot(join(import.meta.dirname, '../../golden/node-gateway.yaml'))
  expect(names([...before.values()]).filter((name) => !names(objects).includes(name))).toEqual([
    'Sidecar kube-registry-node/registry-node',
    'EnvoyFilter kube-registry-node/node-listener',
  ])
})

const EXPOSURES: readonly Exposure[] = [
  {
    host: 'registry.example.org',
    repositories: ['docs/*', 'shop/app'],
    way: 'secret',
    secret: 'registry-cert',
    principals: [exposePrincipal(at)],
  },
  { host: 'mesh.example.org', repositories: [], way: 'istio', principals: [] },
  {
    host: 'shared.example.org',
    repositories: ['docs/*'],
    way: 'shared',
    gateway: 'front/main',
    port: 443,
    principals: ['cluster.local/ns/front/sa/front'],
  },
]

test('what exposures by each way add', async () => {
  const before = new Map(stackWith({ grants: GRANTS }).map((object) => [refKey(refOf(object)), object]))
  const all = stackWith({ grants: GRANTS, at: { outside: true }, exposures: EXPOSURES })
  const added = all.filter((object) => !isDeepStrictEqual(before.get(refKey(refOf(object))), object))
  expect(new Set(all.map((object) => refKey(refOf(object)))).size).toBe(all.length)
  await expect(`${documents(added)}\n`).toMatchFileSnapshot(join(import.meta.dirname, '../../golden/exposures.yaml'))
})

describe('every object', () => {
  const objects = stackWith({ grants: GRANTS, mesh: { connectionSettings: false } })

  test('is marked as ours and there once', () => {
    for (const { metadata } of objects)
      expect(metadata.labels).toMatchObject({
        'app.kubernetes.io/managed-by': 'regctl',
        'regctl.dev/installation': 'kube-registry',
      })
    expect(new Set(objects.map((object) => refKey(refOf(object)))).size).toBe(objects.length)
  })

  test('is of a type that down looks for, and no secret', () => {
    const known = OWNED_TYPES.map(({ apiVersion, kind }) => `${apiVersion} ${kind}`)
    for (const { apiVersion, kind } of objects) expect(known).toContain(`${apiVersion} ${kind}`)
    expect(objects.map(({ kind }) => kind)).not.toContain('Secret')
    expect(OTHER_TYPES.filter(({ apiVersion, kind }) => known.includes(`${apiVersion} ${kind}`))).toEqual([])
  })

  test('comes before what serves, unless it does itself', () => {
    const serving = objects.map(({ kind }) => WORKLOAD_KINDS.has(kind))
    expect(serving.indexOf(true)).toBe(objects.length - 2)
    expect(objects.slice(0, 2).map(({ kind }) => kind)).toEqual(['Namespace', 'Namespace'])
  })

  test('has a namespace that is made, or none', () => {
    const made = new Set(['kube-registry', 'kube-registry-node', undefined])
    expect(objects.filter(({ metadata }) => !made.has(metadata.namespace))).toEqual([])
  })
})

describe('by what the cluster has', () => {
  const usual = names(stackWith())
  test.each<[string, Parameters<typeof stackWith>[0], readonly string[], readonly string[]]>([
    ['Istio before 1.31', { mesh: { connectionSettings: false } }, ['EnvoyFilter kube-registry/path-hardening'], []],
    [
      'no ValidatingAdmissionPolicy',
      { mesh: { admissionPolicies: false } },
      [],
      [
        'ValidatingAdmissionPolicy regctl-host-port-kube-registry',
        'ValidatingAdmissionPolicyBinding regctl-host-port-kube-registry',
      ],
    ],
    ['emptydir', { settings: { storage: 'emptydir' } }, [], ['PersistentVolumeClaim kube-registry/registry-data']],
  ])('%s', (_, wanted, more, less) => {
    const others = names(stackWith(wanted))
    expect(others.filter((name) => !usual.includes(name))).toEqual(more)
    expect(usual.filter((name) => !others.includes(name))).toEqual(less)
  })
})

test('another port is followed everywhere', () => {
  const objects = stackWith({
    at: { port: 5001 },
    settings: { port: 5001 },
    mesh: { connectionSettings: false },
    grants: GRANTS,
  })
  const port = /(?<!\d)5000(?!\d)/g
  expect(JSON.stringify(objects)).not.toMatch(port)
  const usual = JSON.stringify(stackWith({ mesh: { connectionSettings: false }, grants: GRANTS }))
  // The hash of the configuration differs, and nothing but the port else.
  const hash = /"regctl\.dev\/config":"[0-9a-f]{12}"/
  expect(JSON.stringify(objects).replace(hash, '')).toBe(usual.replaceAll(port, '5001').replace(hash, ''))
  expect(hash.exec(JSON.stringify(objects))?.[0]).not.toBe(hash.exec(usual)?.[0])
})

test('another namespace and cluster domain are followed everywhere', () => {
  const text = JSON.stringify(stackWith({ at: { namespace: 'images', clusterDomain: 'example.org' }, grants: GRANTS }))
  expect(text).not.toMatch(
    /kube-registry-node|"namespace":"kube-registry"|ns\/kube-registry|cluster\.local["/]*:|svc\.cluster\.local"?,"traffic/,
  )
  expect(text).toContain('images/kube-registry.images.svc.example.org')
  expect(text).toContain('cluster.local/ns/images-node/sa/registry-node')
})

test('the state keeps what up was given, and the domain', () => {
  const settings = { ...DEFAULTS, revision: 'canary' }
  const { data, metadata } = stateObject({ ...at, clusterDomain: 'example.org' }, settings)
  expect([metadata.name, metadata.namespace]).toEqual(['regctl', 'kube-registry'])
  expect(data).toEqual({ 'settings.json': JSON.stringify(settings), clusterDomain: 'example.org' })
  expect(find(stackWith(), 'ConfigMap', 'regctl').data).toMatchObject({ 'settings.json': JSON.stringify(DEFAULTS) })
})

test.each([
  ['1.31.0', [1, 31]],
  ['v1.30', [1, 30]],
  ['1.31.0-rc.1', [1, 31]],
  ['2.0', [2, 0]],
  ['unknown', [0, 0]],
])('version %s is %j', (text, version) => expect(minorOf(text)).toEqual(version))
