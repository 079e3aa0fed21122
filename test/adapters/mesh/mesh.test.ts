import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import net, { type AddressInfo } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { createServer, type TlsOptions } from 'node:tls'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { openRelay } from '../../../src/adapters/forward/relay.ts'
import { mesh } from '../../../src/adapters/mesh/mesh.ts'
import type { Issued } from '../../../src/domain/forward/identity.ts'
import { failure } from '../../app/failure.ts'
import { authorityServer, type Call, TestAuthority } from './authority-server.ts'
import { fieldsOf } from './wire.ts'

const NAME = 'istiod.istio-system.svc'
const ADA = 'spiffe://cluster.local/ns/team/sa/ada'
const REGISTRY = 'spiffe://cluster.local/ns/kube-registry/sa/kube-registry'
const SNI = 'outbound_.5443_._.registry'

let authority: TestAuthority
let other: TestAuthority
const closing: (() => unknown)[] = []
const { signal } = new AbortController()

beforeAll(async () => {
  ;[authority, other] = await Promise.all([TestAuthority.create(), TestAuthority.create()])
})
afterAll(() => {
  for (const one of [authority, other]) one.remove()
})
afterEach(() => {
  for (const close of closing.splice(0)) close()
})

const target = (roots = authority.roots) => ({ name: NAME, roots })

/** istiod; what it is asked is kept. */
async function istiod(
  answer: (call: Call) => Promise<readonly string[] | { readonly status: string; readonly message: string }>,
  names = `DNS:${NAME}`,
) {
  const calls: Call[] = []
  const { port, server } = await authorityServer(await authority.issue(names), async (call) => {
    calls.push(call)
    return answer(call)
  })
  closing.push(() => server.close())
  return { calls, address: `127.0.0.1:${port}` }
}

const signs = (names: string) => async (call: Call) => {
  const { cert } = await authority.issue(names, String(fieldsOf(call.message).get(1)))
  return [cert, authority.roots]
}

test('a certificate for a new key, by a request that openssl verifies', async () => {
  const { calls, address } = await istiod(signs(`URI:${ADA}`))
  const request = { token: 'the-token', seconds: 3600 }
  const issued = await mesh.certify(await mesh.dial(address, signal), target(), request, signal)
  expect(calls).toMatchObject([
    { path: '/istio.v1.auth.IstioCertificateService/CreateCertificate', token: 'the-token' },
  ])
  expect(fieldsOf(calls[0]?.message ?? Buffer.alloc(5)).get(3)).toBe(3600)
  expect(issued.principal).toBe(ADA)
  expect(issued.notAfter - issued.notBefore).toBe(86_400_000)
  expect(issued.certificateChain.match(/BEGIN CERTIFICATE/g)).toHaveLength(2)
  expect(issued.privateKey).toContain('BEGIN PRIVATE KEY')
  const again = await mesh.certify(await mesh.dial(address, signal), target(), request, signal)
  expect(again.privateKey).not.toBe(issued.privateKey)
})

const LOG = 'ask whoever may: kubectl logs -n istio-system deployment/istiod --tail 50'

test.each([
  ['16', 'CERTIFICATE_REFUSED', [LOG]],
  ['3', 'CERTIFICATE_REFUSED', ['regctl dev-forward --certificate-lifetime 10m', LOG]],
  ['14', 'CERTIFICATE_FAILED', [LOG]],
])('status %s of the authority', async (status, code, suggestions) => {
  const { address } = await istiod(async () => ({ status, message: 'not%20you' }))
  const asked = mesh.certify(await mesh.dial(address, signal), target(), { token: 't', seconds: 60 }, signal)
  await expect(asked).rejects.toEqual(failure(code, 5, 'not you'))
  await expect(asked).rejects.toMatchObject({ suggestions })
})

test('words that are not encoded as they should be are given as they are', async () => {
  const { address } = await istiod(async () => ({ status: '16', message: '100% wrong' }))
  const asked = mesh.certify(await mesh.dial(address, signal), target(), { token: 't', seconds: 60 }, signal)
  await expect(asked).rejects.toEqual(failure('CERTIFICATE_REFUSED', 5, '100% wrong'))
})

test('a certificate for another key is none', async () => {
  const { address } = await istiod(async () => [(await authority.issue(`URI:${ADA}`)).cert])
  const asked = mesh.certify(await mesh.dial(address, signal), target(), { token: 't', seconds: 60 }, signal)
  await expect(asked).rejects.toEqual(failure('CERTIFICATE_FAILED', 5, 'another key'))
})

test('the authority is who it should be, by root and name, before it gets a token', async () => {
  const { calls, address } = await istiod(signs(`URI:${ADA}`))
  const foreign = mesh.certify(
    await mesh.dial(address, signal),
    target(other.roots),
    { token: 't', seconds: 60 },
    signal,
  )
  await expect(foreign).rejects.toEqual(failure('WRONG_PEER', 5))
  const named = await istiod(signs(`URI:${ADA}`), 'DNS:istiod.elsewhere.svc')
  await expect(mesh.greet(await mesh.dial(named.address, signal), target(), signal)).rejects.toEqual(
    failure('WRONG_PEER', 5),
  )
  await mesh.greet(await mesh.dial(address, signal), target(), signal)
  expect([...calls, ...named.calls]).toEqual([])
})

type Seen = { readonly sni: unknown; readonly alpn: unknown; readonly client: string | undefined }

/** The registry's proxy, which echoes. */
async function registry(names: string, by = authority) {
  const { cert, key } = await by.issue(names)
  const seen: Seen[] = []
  const options: TlsOptions = {
    cert,
    key,
    ca: authority.roots,
    requestCert: true,
    ALPNProtocols: ['http/1.1', 'istio'],
  }
  const server = createServer(options, (socket) => {
    seen.push({ sni: socket.servername, alpn: socket.alpnProtocol, client: socket.getPeerCertificate().subjectaltname })
    socket.on('error', () => {}).pipe(socket)
  })
  server.on('tlsClientError', () => {}).listen(0, '127.0.0.1')
  await once(server, 'listening')
  closing.push(() => server.close())
  return { seen, address: `127.0.0.1:${(server.address() as AddressInfo).port}` }
}

async function identity(): Promise<Issued> {
  const { cert, key } = await authority.issue(`URI:${ADA}`)
  const times = { notBefore: 0, notAfter: 0 }
  return { certificateChain: cert, privateKey: key, roots: authority.roots, principal: ADA, ...times }
}

const secured = async (address: string) =>
  mesh.secure(await mesh.dial(address, signal), { sni: SNI, principal: REGISTRY }, await identity(), signal)

const securedAt = async (address: string) =>
  mesh.secure(address, { sni: SNI, principal: REGISTRY }, await identity(), signal)

test('mTLS to the registry, with the name and the protocol that the gateway passes on', async () => {
  const { seen, address } = await registry(`URI:${REGISTRY}`)
  const stream = await secured(address)
  stream.write('hello')
  const [echo] = (await once(stream, 'data')) as [Buffer]
  expect(echo.toString()).toBe('hello')
  stream.destroy()
  expect(seen).toEqual([{ sni: SNI, alpn: 'istio', client: `URI:${ADA}` }])
})

test('what comes by an address of its own is carried whole, to a client that takes its time too', async () => {
  const { seen, address } = await registry(`URI:${REGISTRY}`)
  const relay = await openRelay(() => securedAt(address))
  closing.push(() => relay.close())
  const sent = randomBytes(24 * 1024 * 1024 + 17)
  const came = async (pauseMs: number) => {
    const client = net.connect({ host: relay.host, port: relay.port, allowHalfOpen: true })
    client.end(sent)
    const hash = createHash('sha256')
    for await (const chunk of client) {
      hash.update(chunk as Buffer)
      if (pauseMs > 0) await pause(pauseMs)
    }
    return hash.digest('hex')
  }
  const whole = createHash('sha256').update(sent).digest('hex')
  expect(await Promise.all([came(0), came(0), came(1)])).toEqual([whole, whole, whole])
  expect(seen[0]).toEqual({ sni: SNI, alpn: 'istio', client: `URI:${ADA}` })
})

test.each([
  ['another workload of the mesh', 'URI:spiffe://cluster.local/ns/ci/sa/default'],
  ['one with a second name', `URI:${REGISTRY},URI:spiffe://cluster.local/ns/ci/sa/default`],
  ['one with the name as DNS', 'DNS:registry'],
])('%s in its place is refused', async (_, names) => {
  const { address } = await registry(names)
  await expect(secured(address)).rejects.toEqual(failure('WRONG_PEER', 5))
  await expect(securedAt(address)).rejects.toEqual(failure('WRONG_PEER', 5))
})

test('the right name by another root is refused', async () => {
  const { address } = await registry(`URI:${REGISTRY}`, other)
  await expect(secured(address)).rejects.toEqual(failure('WRONG_PEER', 5))
  await expect(securedAt(address)).rejects.toEqual(failure('WRONG_PEER', 5))
})

test('nobody there, somebody who hangs up, and somebody who says nothing', async () => {
  await expect(mesh.dial('127.0.0.1:1', signal)).rejects.toEqual(failure('GATEWAY_UNREACHABLE', 5, 'ECONNREFUSED'))
  const server = net.createServer((socket) => socket.destroy()).listen(0, '127.0.0.1')
  await once(server, 'listening')
  closing.push(() => server.close())
  const address = `127.0.0.1:${(server.address() as AddressInfo).port}`
  await expect(secured(address)).rejects.toEqual(failure('HANDSHAKE_FAILED', 5, SNI))
  await expect(securedAt(address)).rejects.toEqual(failure('HANDSHAKE_FAILED', 5, SNI))
  await expect(securedAt('127.0.0.1:1')).rejects.toEqual(failure('GATEWAY_UNREACHABLE', 5, 'ECONNREFUSED'))
  const silent = net.createServer(() => {}).listen(0, '127.0.0.1')
  await once(silent, 'listening')
  const abort = new AbortController()
  const connection = await mesh.dial(`127.0.0.1:${(silent.address() as AddressInfo).port}`, signal)
  const greeted = mesh.greet(connection, target(), abort.signal)
  abort.abort()
  await expect(greeted).rejects.toThrow()
  expect(connection.destroyed).toBe(true)
  silent.close()
})
