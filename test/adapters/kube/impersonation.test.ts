import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createSecureServer, type Http2ServerRequest, type Http2ServerResponse } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { WebSocketServer } from 'ws'
import { Api } from '../../../src/adapters/kube/api.ts'
import { loadKubeConfig } from '../../../src/adapters/kube/client.ts'
import { ClusterPods } from '../../../src/adapters/kube/pods.ts'
import { openPort } from '../../../src/adapters/kube/port-forward.ts'
import { failure } from '../../app/failure.ts'
import { TestAuthority } from '../mesh/authority-server.ts'
import { hastyClock } from './api-server.ts'

const directory = mkdtempSync(join(tmpdir(), 'regctl-impersonation-'))
let authority: TestAuthority
let server: ReturnType<typeof createSecureServer>
/** Who asked, request by request. */
let seen: (readonly string[])[]

beforeAll(async () => {
  authority = await TestAuthority.create()
  const pair = await authority.issue('IP:127.0.0.1')
  // The API server speaks both, and rather HTTP/2.
  server = createSecureServer({ ...pair, allowHTTP1: true })
  const sockets = new WebSocketServer({ noServer: true })
  server.on('request', (request: Http2ServerRequest, response: Http2ServerResponse) => {
    note(request.rawHeaders)
    response.end('{}')
  })
  server.on('upgrade', (request, socket, head) => {
    note(request.rawHeaders)
    sockets.handleUpgrade(request, socket, head, (opened) => opened.close())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
})
beforeEach(() => {
  seen = []
})
afterEach(() => expect(seen.length).toBeLessThan(2))
afterAll(async () => {
  server.close()
  rmSync(directory, { recursive: true })
  rmSync(authority.directory, { recursive: true })
})

function note(raw: readonly string[]): void {
  const lines = raw.flatMap((name, index) => (index % 2 === 0 ? [`${name.toLowerCase()}: ${raw[index + 1]}`] : []))
  seen.push(lines.filter((line) => line.startsWith('impersonate-')).sort())
}

function configOf(user: object) {
  const file = join(directory, 'config')
  const { port } = server.address() as AddressInfo
  const cluster = {
    server: `https://127.0.0.1:${port}`,
    'certificate-authority-data': Buffer.from(authority.roots).toString('base64'),
  }
  const content = {
    clusters: [{ name: 'c', cluster }],
    users: [{ name: 'u', user }],
    contexts: [{ name: 'lab', context: { cluster: 'c', user: 'u' } }],
    'current-context': 'lab',
  }
  writeFileSync(file, JSON.stringify(content))
  return loadKubeConfig({ kubeconfig: file })
}

const { signal } = new AbortController()
const ADA = {
  as: 'ada',
  'as-uid': 7,
  'as-groups': ['one', 'two, and more'],
  'as-user-extra': { 'example.org/scopes%': ['a', 'b'] },
}
const AS_ADA = [
  'impersonate-extra-example.org%2fscopes%25: a',
  'impersonate-extra-example.org%2fscopes%25: b',
  'impersonate-group: one',
  'impersonate-group: two, and more',
  'impersonate-uid: 7',
  'impersonate-user: ada',
]

type Config = ReturnType<typeof configOf>

test.each([
  [
    'a request',
    (config: Config) => new Api(config, hastyClock, signal).request({ method: 'GET', path: '/', about: 'x' }),
  ],
  ['a port-forward', async (config: Config) => (await openPort(config, 'n', 'p', 1)).destroy()],
  [
    'an exec',
    (config: Config) => new ClusterPods(new Api(config, hastyClock, signal)).exec('n', 'p', 'c', ['x']).catch(() => {}),
  ],
])('%s is made as the user, in the groups that the kubeconfig says', async (_, ask) => {
  await ask(configOf(ADA))
  expect(seen).toEqual([AS_ADA])
})

test('who impersonates nobody sends nothing of the kind, and a user alone is enough', async () => {
  await new Api(configOf({ token: 'x', 'as-groups': [] }), hastyClock, signal).request({
    method: 'GET',
    path: '/',
    about: 'x',
  })
  expect(seen.splice(0)).toEqual([[]])
  await new Api(configOf({ as: 'ada' }), hastyClock, signal).request({ method: 'GET', path: '/', about: 'x' })
  expect(seen).toEqual([['impersonate-user: ada']])
})

test.each([
  ['as-groups', ['one']],
  ['as-uid', '7'],
  ['as-user-extra', { a: ['b'] }],
])('%s without a user is refused, as by kubectl', (key, value) => {
  expect(() => configOf({ [key]: value })).toThrow(failure('NOBODY_IMPERSONATED', 3, 'no "as"'))
})
