import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { ClusterAccounts } from '../../../src/adapters/kube/accounts.ts'
import { openCluster } from '../../../src/adapters/kube/client.ts'
import { failure } from '../../app/failure.ts'
import { hastyClock } from './api-server.ts'

let directory: string
let file: string
let server: http.Server
/** The one token that is good, and those that were shown. */
let good: string
let shown: string[]

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'regctl-credentials-'))
  file = join(directory, 'config')
  shown = []
  server = http.createServer((request, response) => {
    const token = (request.headers.authorization ?? '').replace('Bearer ', '')
    shown.push(token)
    if (token !== good) return void response.writeHead(401).end('{}')
    const name = request.headers['content-type'] === undefined ? 'ConfigMap' : 'review'
    response.end(JSON.stringify({ kind: name, status: { allowed: true, token: 'for istiod' }, resources: [] }))
  })
  server.on('upgrade', (request, socket) => {
    shown.push((request.headers.authorization ?? '').replace('Bearer ', ''))
    if (shown.at(-1) !== good) return void socket.end('HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n')
    const accept = createHash('sha1').update(
      `${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`,
    )
    socket.end(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Protocol: v4.channel.k8s.io\r\nSec-WebSocket-Accept: ${accept.digest('base64')}\r\n\r\n`,
    )
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
})
afterEach(() => {
  server.closeAllConnections()
  server.close()
  rmSync(directory, { recursive: true })
})

function login(user: object, port = (server.address() as AddressInfo).port): void {
  const content = {
    // client-node takes plain HTTP where TLS would not be verified.
    clusters: [{ name: 'c', cluster: { server: `http://127.0.0.1:${port}`, 'insecure-skip-tls-verify': true } }],
    users: [{ name: 'u', user }],
    contexts: [
      { name: 'lab', context: { cluster: 'c', user: 'u' } },
      { name: 'other', context: { cluster: 'c', user: 'nobody' } },
    ],
    'current-context': 'lab',
  }
  writeFileSync(file, JSON.stringify(content))
}

const { signal } = new AbortController()
const options = () => ({ kubeconfig: file, clock: hastyClock, signal })
const RIGHT = { verb: 'get', group: '', resource: 'pods' }

test('a token that ran out is read anew, whoever asks', async () => {
  login({ token: 'first' })
  good = 'first'
  const { kube, pods } = openCluster(options())
  const accounts = new ClusterAccounts(options())
  expect(await kube.can(RIGHT)).toBe(true)
  login({ token: 'second' })
  good = 'second'
  shown.length = 0
  expect(await kube.can(RIGHT)).toBe(true)
  expect(shown).toEqual(['first', 'second'])
  const account = { namespace: 'n', serviceAccount: 'a' }
  expect(await accounts.token(account, { audience: 'x', seconds: 600 }, signal)).toBe('for istiod')
  // Its port-forward ends at once; that it was let in is what counts.
  await pods.request('n', 'p', 1, { method: 'GET', path: '/' }).catch(() => {})
  expect(shown.slice(2)).toEqual(['first', 'second', 'second'])
})

test('a plugin that gives no time limit is asked anew once its token is refused', async () => {
  const plugin = join(directory, 'plugin')
  writeFileSync(
    plugin,
    `#!/bin/sh
echo asked >>'${directory}/asked'
printf '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"%s"}}' "$(cat '${directory}/token')"
`,
  )
  chmodSync(plugin, 0o755)
  const asked = () => readFileSync(join(directory, 'asked'), 'utf8').trim().split('\n').length
  good = 'first'
  writeFileSync(join(directory, 'token'), good)
  login({ exec: { apiVersion: 'client.authentication.k8s.io/v1', command: plugin, interactiveMode: 'Never' } })
  const { kube } = openCluster(options())
  await Promise.all([kube.can(RIGHT), kube.can(RIGHT)])
  const before = asked()
  expect(await kube.can(RIGHT)).toBe(true)
  expect(asked()).toBe(before)
  good = 'second'
  writeFileSync(join(directory, 'token'), good)
  expect(await kube.can(RIGHT)).toBe(true)
  expect(asked()).toBe(before + 1)
})

test('what stays refused is told once it was read anew', async () => {
  login({ token: 'old' })
  good = 'new'
  await expect(openCluster(options()).kube.can(RIGHT)).rejects.toEqual(failure('UNAUTHORIZED', 3, 'context "lab"'))
  expect(shown).toEqual(['old', 'old'])
})

test('a context that leads elsewhere now gets nothing of this one', async () => {
  login({ token: 'old' })
  good = 'new'
  const { kube } = openCluster(options())
  login({ token: 'new' }, 1)
  await expect(kube.can(RIGHT)).rejects.toEqual(failure('CONTEXT_MOVED', 3, 'no longer to'))
  expect(shown).toEqual(['old'])
})
