import { once } from 'node:events'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { eventually, kubectlOk, regctl, regctlOk, slow } from './cluster.ts'
import { developerOf, grantTo, INGRESS, publishAddresses, publishAgain, type Stage } from './developers/stage.ts'
import { accountIdentity } from './developers/way-in.ts'
import { kubeconfigOf } from './forward/developer.ts'
import type { Docker } from './forward/docker.ts'
import { impostor } from './forward/impostor.ts'
import {
  alive,
  crane,
  firstLine,
  foreground,
  killTree,
  layer,
  memory,
  processTree,
  push,
  ready,
  reportOf,
} from './forward/kit.ts'
import { type ProxyEngine, proxyEngine } from './forward/proxy-engine.ts'
import { stalledPulls } from './forward/stalled.ts'

const TEAM = 'e2e-forward-proxy'
const CI = 'e2e-forward-proxy-ci'
const PORT = 5120
const image = (name: string) => `localhost:${PORT}/${name}`
const BEFORE = process.env.XDG_RUNTIME_DIR

let directory: string
let stage: Stage
let engine: ProxyEngine
let docker: Docker
let flags: readonly string[]
let small: string

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'regctl-proxy-'))
  ;[stage, engine] = await Promise.all([developerOf(TEAM, CI), proxyEngine()])
  docker = engine.docker
  flags = [...engine.flags, '--kubeconfig', await kubeconfigOf(directory, 'ada@example.org', TEAM)]
  small = await layer(directory, 20)
  process.env.XDG_STATE_HOME = join(directory, 'state')
  process.env.XDG_RUNTIME_DIR = directory
}, 120_000)

afterAll(async () => {
  await regctl(['dev-forward', '--stop'])
  delete process.env.XDG_STATE_HOME
  if (BEFORE === undefined) delete process.env.XDG_RUNTIME_DIR
  else process.env.XDG_RUNTIME_DIR = BEFORE
  await engine[Symbol.asyncDispose]()
  await kubectlOk(['delete', 'namespace', '--ignore-not-found', '--wait=false', TEAM, CI])
  await rm(directory, { recursive: true, force: true })
})

const containers = async (): Promise<readonly string[]> => {
  const { stdout } = await docker.run(['ps', '--all', '--format', '{{.Names}}', '--filter', 'label=regctl.dev/forward'])
  return stdout.split('\n').filter((name) => name !== '')
}
const secrets = async () => (await readdir(directory)).filter((name) => /^regctl-\d/.test(name))
const nothingLeft = async () => expect([await containers(), await secrets()]).toEqual([[], []])

describe('the registry on localhost', () => {
  test('crane and the dockerd push and pull as the developer', async () => {
    await using _forward = await foreground(PORT, ...flags)
    expect(await reportOf(PORT)).toMatchObject({
      mode: 'proxy',
      identity: `${TEAM}/${stage.account}`,
      detail: expect.stringMatching(/^Envoy in docker container regctl-proxy-5120-\d+: mTLS as spiffe:/),
    })
    const digest = await push(image('team/app:1'), small)
    expect((await crane('digest', `[::1]:${PORT}/team/app:1`)).stdout).toBe(digest)
    expect((await crane('pull', image('team/app:1'), join(directory, 'pulled.tar'))).exitCode).toBe(0)
    const { bytes, connections } = (await reportOf(PORT)) ?? {}
    expect(bytes?.up).toBeGreaterThan(20_000_000)
    expect(bytes?.down).toBeGreaterThan(20_000_000)
    expect(connections).toMatchObject({ refused: 0, failed: 0 })

    const imported = await docker.run(['import', small, image('team/docker:1')])
    expect(imported.exitCode, imported.stderr).toBe(0)
    const pushed = await docker.run(['push', image('team/docker:1')])
    expect(pushed.exitCode, pushed.stderr).toBe(0)
    await docker.run(['rmi', image('team/docker:1')])
    const pulled = await docker.run(['pull', image('team/docker:1')])
    expect(pulled.exitCode, pulled.stderr).toBe(0)
  })

  test('a repository that is not granted is refused, with the command that would allow it', async () => {
    await using _forward = await foreground(PORT, ...flags)
    const { exitCode, stderr } = await crane('append', '--oci-empty-base', '-f', small, '-t', image('other/app:1'))
    expect(exitCode).not.toBe(0)
    expect(stderr).toContain(`spiffe://cluster.local/ns/${TEAM}/sa/${stage.account} may not POST /v2/other/app/`)
    expect(stderr).toContain('regctl grant NAMESPACE REPOSITORY --developer user:NAME')
  })

  test('200 connections at once; pages of others, and names that are not localhost, get nothing', async () => {
    await using _forward = await foreground(PORT, ...flags)
    const get = `GET /v2/ HTTP/1.1\r\nHost: localhost:${PORT}\r\nConnection: close\r\n\r\n`
    const answers = await Promise.all(Array.from({ length: 200 }, () => firstLine(PORT, get)))
    expect(new Set(answers)).toEqual(new Set(['HTTP/1.1 200 OK']))
    const refused = async (status: number, target: string, ...headers: readonly string[]) =>
      expect(
        await firstLine(PORT, `${target} HTTP/1.1\r\n${headers.map((one) => `${one}\r\n`).join('')}\r\n`),
      ).toContain(` ${status} `)
    await refused(421, 'GET /v2/', 'Host: rebound.example:5000')
    await refused(421, 'GET http://rebound.example/v2/', `Host: localhost:${PORT}`)
    await refused(421, 'GET /v2/', 'Host: localhost')
    await refused(403, 'POST /v2/a/blobs/uploads/', `Host: localhost:${PORT}`, 'Origin: http://page.example')
    await refused(403, 'GET /v2/', `Host: localhost:${PORT}`, 'Origin: null')
    await refused(421, 'GET /.regctl/forward', 'Host: rebound.example:5000')
    expect((await reportOf(PORT))?.connections.refused).toBe(6)
    // The status is behind the request; the last word of a line is who was asked for the answer.
    const [name = ''] = await containers()
    const lines = async () =>
      (await docker.run(['logs', name])).stdout.split('\n').filter((line) => /" 4(03|21) /.test(line))
    await expect.poll(async () => (await lines()).length, { timeout: 5_000 }).toBe(6)
    expect((await lines()).filter((line) => !line.endsWith(' "-"'))).toEqual([])
  })

  slow('clients that take nothing of a layer cost little memory and nobody else the way', async () => {
    await using _forward = await foreground(PORT, ...flags)
    const digest = await push(image('team/app:2'), small)
    const [name = ''] = await containers()
    const pid = Number((await docker.run(['inspect', '--format', '{{.State.Pid}}', name])).stdout)
    const before = await memory(pid)
    const stalled = await stalledPulls(PORT, 'team/app', '2', 20)
    await pause(2_000)
    // Kept in memory they would be 400 MiB.
    expect((await memory(pid)) - before).toBeLessThan(40)
    expect((await crane('digest', image('team/app:2'))).stdout).toBe(digest)
    for (const socket of stalled) socket.destroy()
    await expect.poll(async () => (await reportOf(PORT))?.connections.open, { timeout: 10_000 }).toBeLessThan(2)
  })

  test("another workload's certificate at the registry's address gets no request", async () => {
    const other = await accountIdentity(stage.way, CI, 'default')
    await using address = await impostor(stage.way, other, true)
    await using _forward = await foreground(PORT, '--gateway', address.address, ...flags)
    expect((await fetch(`http://localhost:${PORT}/v2/`)).status).toBe(200)
    address.standIn()
    // Longer than a connection of before may idle.
    await pause(3_000)
    const asked = firstLine(PORT, `GET /v2/ HTTP/1.1\r\nHost: localhost:${PORT}\r\n\r\n`)
    expect((await Promise.race([asked, pause(1_500)])) ?? 'it waits').not.toContain(' 200 ')
    expect(address.asked()).toBeGreaterThan(0)
    expect((await reportOf(PORT))?.detail).toContain(`spiffe://cluster.local/ns/${CI}/sa/default`)
  })
})

describe('what comes and goes', () => {
  test('the gateway is deleted: served again by the next one', async () => {
    await using _forward = await foreground(PORT, ...flags)
    await kubectlOk(['delete', 'pod', '-n', INGRESS, '-l', 'app=registry-ingress', '--grace-period=1'])
    expect((await fetch(`http://localhost:${PORT}/v2/`)).status).toBe(200)
  })

  test('the container is killed: the next one serves', async () => {
    await using _forward = await foreground(PORT, ...flags)
    const [name = ''] = await containers()
    expect((await docker.run(['kill', name])).exitCode).toBe(0)
    const report = await eventually(async () => {
      const found = await ready(PORT)
      expect(found.reconnects).toBe(1)
      return found
    })
    expect(report.detail).toContain(name)
    expect((await fetch(`http://localhost:${PORT}/v2/`)).status).toBe(200)
  })

  slow('where the gateway has no address, by a port-forward to it, for those who may', async () => {
    const account = await grantTo(TEAM, 'user:bob@example.org', 'bobs', '--allow-gateway-forward')
    const bob = ['--kubeconfig', await kubeconfigOf(directory, 'bob@example.org', TEAM)]
    await publishAddresses([])
    try {
      await using _forward = await foreground(PORT, ...engine.flags, ...bob)
      expect(await reportOf(PORT)).toMatchObject({
        identity: `${TEAM}/${account}`,
        detail: expect.stringContaining('a port-forward to the gateway'),
      })
      const digest = await push(image('bobs/app:1'), small)
      expect((await crane('digest', image('bobs/app:1'))).stdout).toBe(digest)
    } finally {
      await publishAgain(stage)
    }
  })
})

describe('it leaves nothing', () => {
  test.each(['SIGINT', 'SIGTERM'] as const)('%s ends all in order', async (signal) => {
    const { process: child, pid } = await foreground(PORT, ...flags)
    const tree = await processTree(pid)
    expect(await containers()).toHaveLength(1)
    child.kill(signal)
    const [code] = await once(child, 'exit')
    expect(code).toBe(signal === 'SIGINT' ? 130 : 143)
    for (const one of tree.keys()) expect(await alive(one), tree.get(one)).toBe(false)
    await nothingLeft()
  })

  test('a SIGKILL ends the container and takes its files', async () => {
    const { pid } = await foreground(PORT, ...flags)
    expect(await secrets()).toHaveLength(1)
    process.kill(pid, 'SIGKILL')
    await eventually(nothingLeft, { timeout: 10_000 })
    expect(await reportOf(PORT)).toBeUndefined()
  })

  slow('killed with all that would clear up: the next start does', async () => {
    const { pid } = await foreground(PORT, ...flags)
    const [left] = await containers()
    await killTree(pid)
    await pause(1_000)
    expect(await containers()).toEqual([left])
    expect(await secrets()).toHaveLength(1)
    {
      await using _forward = await foreground(PORT, ...flags)
      const now = await containers()
      expect(now).toHaveLength(1)
      expect(now).not.toContain(left)
    }
    await nothingLeft()
  })

  slow('in the background: another start is the same one, status, stop', async () => {
    const argv = ['dev-forward', '--detach', '--json', '--port', String(PORT), ...flags]
    const first = JSON.parse(await regctlOk(argv))
    expect(first).toMatchObject({ state: 'ready', port: PORT, reused: false, mode: 'proxy' })
    expect(JSON.parse(await regctlOk(argv))).toMatchObject({ pid: first.pid, reused: true })
    const { forwards } = JSON.parse(await regctlOk(['dev-forward', '--status', '--json', '--port', String(PORT)]))
    expect(forwards).toMatchObject([{ pid: first.pid, mode: 'proxy' }])
    expect(await regctlOk(['dev-forward', '--stop', '--port', String(PORT)])).toContain(`localhost:${PORT}`)
    await nothingLeft()
  })
})

describe('what is in the way is said', () => {
  const start = (image?: string) => {
    const others = flags.map((flag, index) => (flags[index - 1] === '--proxy-image' ? (image ?? flag) : flag))
    return regctl(['dev-forward', '--port', String(PORT), ...others])
  }

  test('a port that another process has', async () => {
    const server = net.createServer().listen(PORT, '127.0.0.1')
    await once(server, 'listening')
    const { exitCode, stderr } = await start()
    server.close()
    expect([exitCode, stderr]).toEqual([4, expect.stringContaining(`(pid ${process.pid})`)])
    await nothingLeft()
  })

  test('an image that is not there, one without a proxy, and no engine', async () => {
    const missing = await start('localhost:9/no/such:image')
    expect([missing.exitCode, missing.stderr]).toEqual([3, expect.stringContaining('"localhost:9/no/such:image"')])
    expect(missing.stderr).toContain('--proxy-image IMAGE')
    await docker.run(['import', small, 'no-proxy:1'])
    const empty = await start('no-proxy:1')
    expect([empty.exitCode, empty.stderr]).toEqual([3, expect.stringMatching(/PROXY_FAILED/)])
    expect(empty.stderr).toContain('"envoy"')
    await nothingLeft()
    // Without podman, which may be there as well.
    const env = { DOCKER_HOST: 'unix:///nowhere', PATH: `${docker.path}:${dirname(process.execPath)}` }
    const off = await regctl(['dev-forward', ...flags], { env })
    expect([off.exitCode, off.stderr]).toEqual([3, expect.stringContaining('"docker" does not answer')])
  })
})
