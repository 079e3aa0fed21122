import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { Api } from '../../../src/adapters/kube/api.ts'
import { loadKubeConfig } from '../../../src/adapters/kube/client.ts'
import { ClusterObjects } from '../../../src/adapters/kube/objects.ts'
import { apiServer, hastyClock, kubeConfig } from './api-server.ts'

const REF = { apiVersion: 'v1', kind: 'ConfigMap', namespace: 'n', name: 'x' }
const OBJECT = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { namespace: 'n', name: 'x' } }

test.each([
  ['UNAUTHORIZED', 3, 401, { message: 'Unauthorized' }, /credentials of context "lab"/],
  [
    'FORBIDDEN',
    3,
    403,
    { message: 'configmaps "x" is forbidden: User "u" cannot get resource' },
    /not allowed to apply ConfigMap n\/x/,
  ],
  ['NOT_ADMITTED', 5, 403, { message: 'violates PodSecurity "baseline"' }, /cannot apply ConfigMap n\/x: violates/],
  ['NAMESPACE_TERMINATING', 5, 403, { details: { causes: [{ reason: 'NamespaceTerminating' }] } }, /being deleted/],
  ['NOT_FOUND', 5, 404, { message: 'namespaces "n" not found' }, /namespaces "n" not found/],
  ['INVALID', 5, 422, { message: 'spec.x: Invalid value' }, /Invalid value/],
  ['CONFLICT_CHANGED', 4, 409, { reason: 'Conflict', message: 'the object has been modified' }, /changed meanwhile/],
])('%s', async (code, exit, status, body, message) => {
  using server = await apiServer(() => ({ status, body }))
  const failure = new ClusterObjects(server.api).apply(OBJECT)
  await expect(failure).rejects.toMatchObject({ code, oclif: { exit }, message: expect.stringMatching(message) })
  expect(server.seen).toHaveLength(1)
})

test('a field of another manager is named with its manager', async () => {
  const causes = [
    { reason: 'FieldManagerConflict', message: 'conflict with "argocd" using v1', field: '.data.a' },
    { reason: 'FieldManagerConflict', message: 'conflict with "argocd" using v1', field: '.data.b' },
  ]
  using server = await apiServer(() => ({ status: 409, body: { reason: 'Conflict', details: { causes } } }))
  await expect(new ClusterObjects(server.api).apply(OBJECT)).rejects.toMatchObject({
    code: 'FIELD_CONFLICT',
    message: 'cannot apply ConfigMap n/x: "argocd" manages .data.a, .data.b',
    details: {
      conflicts: [
        { field: '.data.a', manager: 'argocd' },
        { field: '.data.b', manager: 'argocd' },
      ],
    },
  })
})

test.each([429, 500, 502, 503, 504])('HTTP %i is tried again', async (status) => {
  using server = await apiServer((_, count) => (count < 3 ? { status, body: 'busy' } : { body: OBJECT }))
  expect(await new ClusterObjects(server.api).get(REF)).toEqual(OBJECT)
})

test('and given up after five times, with what the server said', async () => {
  using server = await apiServer(() => ({ status: 503, body: 'no endpoints' }))
  const failure = new ClusterObjects(server.api).get(REF)
  await expect(failure).rejects.toMatchObject({
    code: 'CLUSTER_REFUSED',
    message: 'cannot get ConfigMap n/x: no endpoints',
  })
  expect(server.seen).toHaveLength(5)
})

test('a broken connection is tried again, but never a create', async () => {
  using server = await apiServer((_, count) => (count === 1 ? 'reset' : { body: OBJECT }))
  expect(await new ClusterObjects(server.api).get(REF)).toEqual(OBJECT)
  using other = await apiServer(() => 'reset')
  await expect(new ClusterObjects(other.api).create(OBJECT)).rejects.toMatchObject({ code: 'CONNECTION_LOST' })
  expect(other.seen).toHaveLength(1)
})

test('an address where nobody listens names the context and the fix', async () => {
  const api = new Api(kubeConfig(59_999), hastyClock, new AbortController().signal)
  await expect(new ClusterObjects(api).version()).rejects.toMatchObject({
    code: 'UNREACHABLE',
    oclif: { exit: 3 },
    message: expect.stringMatching(/http:\/\/127.0.0.1:59999 of context "lab": .*ECONNREFUSED/),
    suggestions: expect.arrayContaining(['kubectl config get-contexts']),
  })
})

test('an abort ends a request with its reason', async () => {
  const stop = new AbortController()
  using server = await apiServer(() => {
    stop.abort(new Error('stopped'))
    return { status: 503, body: '' }
  })
  await expect(new ClusterObjects(server.api).get(REF, stop.signal)).rejects.toThrow('stopped')
})

test('of several kubeconfig files the first word counts, as for kubectl', () => {
  const directory = mkdtempSync(join(tmpdir(), 'regctl-test-'))
  const file = (name: string, current: string, contexts: readonly string[]): string => {
    const content = {
      'current-context': current,
      clusters: [{ name: 'cluster', cluster: { server: `https://${name}.example` } }],
      users: [{ name: 'user', user: { token: name } }],
      contexts: contexts.map((context) => ({ name: context, context: { cluster: 'cluster', user: 'user' } })),
    }
    writeFileSync(join(directory, name), JSON.stringify(content))
    return join(directory, name)
  }
  const files = [join(directory, 'absent'), file('one', 'a', ['a']), file('two', 'b', ['a', 'b'])]
  vi.stubEnv('KUBECONFIG', files.join(delimiter))
  try {
    const config = loadKubeConfig({})
    expect([config.getCurrentContext(), config.getCurrentCluster()?.server]).toEqual(['a', 'https://one.example'])
    expect(config.getCurrentUser()?.token).toBe('one')
    expect(loadKubeConfig({ context: 'b' }).getCurrentCluster()?.server).toBe('https://one.example')
  } finally {
    vi.unstubAllEnvs()
    rmSync(directory, { recursive: true })
  }
})

test('a kubeconfig that is not there, a context it does not have', async () => {
  expect(() => loadKubeConfig({ kubeconfig: '/nonexistent' })).toThrow(/cannot read the kubeconfig/)
  const file = `${import.meta.dirname}/kubeconfig.yaml`
  expect(() => loadKubeConfig({ kubeconfig: file, context: 'other' })).toThrow('no context "other"')
  expect(() => loadKubeConfig({ kubeconfig: file })).toThrow('no kubeconfig context is selected')
  expect(loadKubeConfig({ kubeconfig: file, context: 'lab' }).getCurrentCluster()?.server).toBe('https://lab.example')
})
