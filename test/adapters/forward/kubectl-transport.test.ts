import { once } from 'node:events'
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import type { V1Pod } from '@kubernetes/client-node'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { systemClock } from '../../../src/adapters/clock.ts'
import { KubectlTransport } from '../../../src/adapters/forward/kubectl-transport.ts'
import { ownAddress } from '../../../src/adapters/forward/own-address.ts'
import { openRelay } from '../../../src/adapters/forward/relay.ts'
import type { PodSource } from '../../../src/adapters/kube/ready-pods.ts'
import { clusterError } from '../../../src/errors.ts'
import type { TransportNews } from '../../../src/ports/forward.ts'

const directory = mkdtempSync(join(tmpdir(), 'regctl-kubectl-'))
const kubectl = join(directory, 'kubectl')
const log = join(directory, 'log')
/** The registry; its answers name the pod by which they were asked for. */
const registry = http.createServer((_request, response) => response.end('ok'))

/** Forwards as kubectl does, says what it was asked, and ends when a file of the pod's name is there. */
const PROGRAM = `#!${process.execPath}
const net = require('node:net'), fs = require('node:fs')
const args = process.argv.slice(2), pod = args.at(-2)
fs.appendFileSync(${JSON.stringify(log)}, args.join(' ') + ' ' + process.pid + '\\n')
if (fs.existsSync(${JSON.stringify(directory)} + '/refuse')) { console.error('error: unable to forward'); process.exit(1) }
const server = net.createServer((socket) => {
  console.log('Handling connection for 1')
  const peer = net.connect(Number(process.env.REGISTRY_PORT), '127.0.0.1')
  socket.pipe(peer).pipe(socket)
  socket.on('error', () => {}); peer.on('error', () => {})
})
server.listen(0, args[args.indexOf('--address') + 1], () => console.log('Forwarding from 127.0.0.1:' + server.address().port + ' -> 5000'))
setInterval(() => { if (fs.existsSync(${JSON.stringify(directory)} + '/end')) { console.error('error: lost connection to pod'); process.exit(1) } }, 20)
`

beforeAll(async () => {
  registry.listen(0, '127.0.0.1')
  await once(registry, 'listening')
  process.env.REGISTRY_PORT = String((registry.address() as AddressInfo).port)
  writeFileSync(kubectl, PROGRAM)
  chmodSync(kubectl, 0o755)
})
afterAll(() => {
  registry.closeAllConnections()
  registry.close()
  rmSync(directory, { recursive: true })
})

const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
  for (const name of ['log', 'end', 'refuse']) rmSync(join(directory, name), { force: true })
})

const pod = (name: string): V1Pod => ({ metadata: { name, uid: name } })

class Pods implements PodSource {
  current: V1Pod | undefined = pod('a')
  trouble = clusterError('NO_READY_POD', 'no registry pod is ready')
  readonly #listeners = new Set<() => void>()

  become(next: V1Pod | undefined): void {
    this.current = next
    for (const listener of [...this.#listeners]) listener()
  }
  ready = (signal: AbortSignal): Promise<V1Pod> =>
    new Promise((resolve, reject) => {
      const off = this.onChange(() => {
        off()
        if (this.current !== undefined) resolve(this.current)
      })
      signal.addEventListener('abort', () => reject(this.trouble))
    })
  stays = (one: V1Pod): boolean => one === this.current
  onChange = (listener: () => void): (() => void) => {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }
  refresh = (): void => {}
  close = (): void => {}
}

function transport(pods = new Pods()) {
  const news: TransportNews[] = []
  const target = { namespace: 'n', selector: 'app=r', port: 5000, context: 'c' }
  const made = new KubectlTransport({ kubectl, target, pods, clock: systemClock, tell: (one) => news.push(one) })
  closing.push(() => made.close())
  const ask = async (): Promise<string> => asked(await made.connect(AbortSignal.timeout(4_000)))
  return { made, news, ask, pods }
}

/** As a client that is carried by a listener. */
async function asked(stream: Duplex): Promise<string> {
  const relay = await openRelay(async () => stream)
  closing.push(() => relay.close())
  return (await fetch(`http://${relay.host}:${relay.port}`, { headers: { connection: 'close' } })).text()
}

const runs = (): readonly string[] => readFileSync(log, 'utf8').trim().split('\n')
const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

test('forwards to the Ready pod, and leaves nothing behind', async () => {
  const { made, ask, news } = transport()
  expect(await ask()).toBe('ok')
  expect(await ask()).toBe('ok')
  expect(news).toEqual([{ ready: true, detail: 'kubectl port-forward to pod a', reconnected: false }])
  const [run = ''] = runs()
  expect(run).toMatch(/^--context c --namespace n port-forward --address 127\.\d+\.\d+\.\d+ pod\/a :5000 \d+$/)
  await made.close()
  expect(isAlive(Number(run.split(' ').at(-1)))).toBe(false)
})

test('starts anew when kubectl ends, and says why it did', async () => {
  const { ask, news } = transport()
  await ask()
  writeFileSync(join(directory, 'end'), '')
  await expect.poll(() => news.some(({ ready }) => !ready), { timeout: 3_000 }).toBe(true)
  rmSync(join(directory, 'end'))
  expect(await ask()).toBe('ok')
  expect(news.find(({ ready }) => !ready)?.detail).toBe('kubectl port-forward ended: lost connection to pod')
  expect(news.at(-1)).toMatchObject({ ready: true, reconnected: true })
})

test('a pod that goes keeps its connections; new ones wait for the next pod', async () => {
  const { made, ask, pods, news } = transport()
  const stream = await made.connect(AbortSignal.timeout(4_000))
  const [first = ''] = runs()
  pods.become(undefined)
  expect(news.at(-1)).toMatchObject({ ready: true })
  const waiting = ask()
  await expect.poll(() => news.at(-1)?.ready).toBe(false)
  expect(await asked(stream)).toBe('ok')
  pods.become(pod('b'))
  expect(await waiting).toBe('ok')
  expect(runs().at(-1)).toContain('pod/b')
  // The connection of the old one was its last.
  await expect.poll(() => isAlive(Number(first.split(' ').at(-1)))).toBe(false)
})

test('what keeps kubectl from starting is told to who waits', async () => {
  writeFileSync(join(directory, 'refuse'), '')
  const { made } = transport()
  await expect(made.connect(AbortSignal.timeout(800))).rejects.toMatchObject({
    code: 'FORWARD_WAITING',
    message: 'cannot reach the registry: kubectl port-forward ended: unable to forward',
  })
  // With pauses between the tries.
  expect(runs().length).toBeLessThan(6)
})

test('kubectl listens where no page can guess it', () => {
  let count = 0
  const random = (): number => [0, 0.5, 0.999][count++ % 3] ?? 0
  expect(ownAddress('linux', random)).toBe('127.1.127.253')
  expect(ownAddress('darwin')).toBe('127.0.0.1')
})
