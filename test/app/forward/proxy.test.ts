import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import net, { type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { systemClock } from '../../../src/adapters/clock.ts'
import { containers } from '../../../src/adapters/forward/containers.ts'
import { listeners } from '../../../src/adapters/forward/listeners.ts'
import { programs } from '../../../src/adapters/forward/programs.ts'
import { Forward } from '../../../src/app/forward/forward.ts'
import { planForward } from '../../../src/app/forward/plan.ts'
import type { ForwardInput } from '../../../src/app/forward/way.ts'
import { accessObject } from '../../../src/domain/stack/developer-access.ts'
import { clusterError } from '../../../src/errors.ts'
import type { ForwardPorts, Transport } from '../../../src/ports/forward.ts'
import { fakeCluster } from '../../fakes/cluster.ts'
import { type FakeDocker, fakeDocker } from '../../fakes/fake-docker.ts'
import { failure } from '../failure.ts'

const ROOTS = '-----BEGIN CERTIFICATE-----\nROOTS\n-----END CERTIFICATE-----\n'
const AT = { namespace: 'kube-registry', port: 5000, clusterDomain: 'cluster.local' }
const GATEWAYS = ['192.0.2.1:15443', '192.0.2.2:15443']

let docker: FakeDocker
let runtime: string
const open = new Set<Forward>()
const { XDG_RUNTIME_DIR } = process.env

beforeEach(async () => {
  docker = await fakeDocker()
  runtime = mkdtempSync(join(tmpdir(), 'regctl-runtime-'))
  process.env.XDG_RUNTIME_DIR = runtime
})
afterEach(async () => {
  for (const forward of open) await forward.close()
  open.clear()
  expect([await docker.containers(), readdirSync(runtime)]).toEqual([[], []])
  await docker[Symbol.asyncDispose]()
  rmSync(runtime, { recursive: true })
  if (XDG_RUNTIME_DIR === undefined) delete process.env.XDG_RUNTIME_DIR
  else process.env.XDG_RUNTIME_DIR = XDG_RUNTIME_DIR
})

/** A mesh whose first gateway can be away, and whose certificates live for `seconds`. */
function mesh(seconds = 3_600, addresses: readonly string[] = GATEWAYS) {
  const { store, ports: cluster } = fakeCluster()
  const access = {
    addresses,
    registryAddresses: [],
    roots: ROOTS,
    trustDomain: 'cluster.local',
    clusterDomain: 'cluster.local',
    port: 5000,
    authority: 'istiod',
  }
  store.put(accessObject(AT, access))
  const away = new Set<string>()
  let issued = 0
  const ports: ForwardPorts = {
    ...cluster,
    clock: systemClock,
    listeners,
    programs,
    containers,
    accounts: { namespace: 'team', mine: async () => ['ada'], token: async () => 'token' },
    forwards: {
      kubectlFound: async () => false,
      kubectl: () => Promise.reject(new Error('not scripted')) as never,
      webSockets: () => Promise.reject(new Error('not scripted')) as never,
    },
    mesh: {
      dial: async (address) => {
        if (away.has(address)) throw clusterError('GATEWAY_UNREACHABLE', `cannot reach ${address}`)
        return new PassThrough()
      },
      greet: async () => {},
      secure: async (to) => {
        if (typeof to === 'string' && away.has(to)) throw clusterError('GATEWAY_UNREACHABLE', `cannot reach ${to}`)
        return typeof to === 'string' ? new PassThrough() : to
      },
      certify: async () => {
        issued += 1
        const now = Date.now()
        return {
          certificateChain: `CHAIN ${issued}`,
          privateKey: 'KEY',
          roots: ROOTS,
          principal: 'spiffe://cluster.local/ns/team/sa/ada',
          notBefore: now,
          notAfter: now + seconds * 1_000,
        }
      },
    },
  }
  return { ports, away }
}

const input = (more: Partial<ForwardInput> = {}): ForwardInput => ({
  namespace: 'kube-registry',
  mode: 'proxy',
  transport: 'auto',
  version: '1',
  port: 0,
  ...more,
})

async function opened(world = mesh(), more: Partial<ForwardInput> = {}): Promise<Forward> {
  const forward = await Forward.open(world.ports, await planForward(world.ports, input(more)))
  open.add(forward)
  return forward
}

const ask = async (forward: Forward) =>
  (await (await fetch(`http://localhost:${forward.report.port}/v2/`)).json()) as {
    readonly gateway: string
    readonly secrets: readonly object[]
  }

test('the container has the port, the gateway and the certificate; the report tells of all', async () => {
  const forward = await opened()
  expect(await forward.ready(5_000)).toBe(true)
  const asked = await ask(forward)
  expect(asked.gateway).toBe(GATEWAYS[0])
  expect(JSON.stringify(asked.secrets)).toContain('CHAIN 1')
  const report = await listeners.ask('127.0.0.1', forward.report.port)
  expect(report).toMatchObject({
    mode: 'proxy',
    identity: 'team/ada',
    state: 'ready',
    instance: forward.report.instance,
    connections: { total: 1 },
    detail: expect.stringMatching(/^Envoy in docker container regctl-proxy-\d+-\d+: mTLS as spiffe:.*192\.0\.2\.1/),
  })
})

test('a renewed certificate is put in place', async () => {
  const forward = await opened(mesh(1))
  await forward.ready(5_000)
  await expect.poll(async () => JSON.stringify((await ask(forward)).secrets), { timeout: 5_000 }).toContain('CHAIN 3')
})

test('connections fail: it waits for the gateway, and goes by the other one', async () => {
  const world = mesh()
  const forward = await opened(world)
  await forward.ready(5_000)
  for (const gateway of GATEWAYS) world.away.add(gateway)
  await docker.be('fail')
  await ask(forward)
  await expect.poll(() => forward.report.state, { timeout: 5_000 }).toBe('waiting')
  expect(forward.report.detail).toContain('cannot reach 192.0.2')
  world.away.delete(GATEWAYS[1] ?? '')
  await docker.be('fail', false)
  expect(await forward.ready(5_000)).toBe(true)
  expect(forward.report.reconnects).toBe(1)
  expect((await ask(forward)).gateway).toBe(GATEWAYS[1])
})

test('a container that ends is started anew, and its figures are kept', async () => {
  const forward = await opened()
  await forward.ready(5_000)
  await ask(forward)
  await expect.poll(() => forward.report.connections.total, { timeout: 3_000 }).toBe(1)
  const [first] = await docker.containers()
  process.kill(first?.pid ?? 0, 'SIGKILL')
  await expect.poll(() => forward.report.state, { timeout: 5_000 }).toBe('waiting')
  expect(forward.report.detail).toContain("the proxy's container ended")
  expect(await forward.ready(5_000)).toBe(true)
  await ask(forward)
  await expect.poll(() => forward.report.connections.total, { timeout: 3_000 }).toBe(2)
})

test('what is in the way: a port, a container that does not start', async () => {
  const server = net.createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  await expect(opened(mesh(), { port })).rejects.toEqual(failure('PORT_TAKEN', 4, `(pid ${process.pid})`))
  server.close()
  await docker.be('broken')
  await expect(opened()).rejects.toEqual(failure('PROXY_FAILED', 3, 'ended: error initializing config'))
})

const pipes: Transport = { mode: 'port-forward', connect: async () => new PassThrough(), close: async () => {} }

/** Where only a port-forward leads to the gateway, and this machine gives no port for it until told. */
function relayed() {
  const world = mesh(3_600, [])
  const relay = { works: false, tried: 0 }
  const ports: ForwardPorts = {
    ...world.ports,
    forwards: { ...world.ports.forwards, webSockets: () => pipes },
    listeners: {
      ...listeners,
      relay: async (connect) => {
        relay.tried += 1
        if (!relay.works) throw new Error('no port is free')
        return listeners.relay(connect)
      },
    },
  }
  return { world: { ...world, ports }, relay }
}

test('a port for the gateway that cannot be had is tried again', async () => {
  const { world, relay } = relayed()
  const forward = await opened(world)
  await expect.poll(() => forward.report.detail, { timeout: 5_000 }).toBe('no port is free')
  relay.works = true
  expect(await forward.ready(5_000)).toBe(true)
  expect((await ask(forward)).gateway).toMatch(/^127\./)
})

test('closed without one, it leaves nothing', async () => {
  const { world, relay } = relayed()
  const forward = await opened(world)
  await expect.poll(() => relay.tried, { timeout: 5_000 }).toBeGreaterThan(0)
  await forward.close()
  expect(readdirSync(runtime)).toEqual([])
})

test('an image that is not there', async () => {
  await docker.be('no-image')
  const started = planForward(mesh().ports, input())
  await expect(started).rejects.toEqual(failure('NO_IMAGE', 3, 'cannot be pulled: pull access denied'))
})

test('what was given for proxy mode alone means it', async () => {
  const world = mesh()
  const plan = await planForward(world.ports, input({ mode: 'auto', proxyImage: 'own/proxy:1' }))
  expect(plan.way.mode).toBe('proxy')
  expect(await docker.log()).toContain('image inspect --format {{.Id}} own/proxy:1')
})
