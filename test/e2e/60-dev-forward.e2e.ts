import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { REGISTRY } from './attacks/kit.ts'
import { eventually, kubectlOk, regctl, regctlOk, slow } from './cluster.ts'
import {
  alive,
  crane,
  firstLine,
  foreground,
  layer,
  memory,
  processTree,
  push,
  ready,
  reportOf,
} from './forward/kit.ts'
import { replacedDuringPush } from './forward/replaced.ts'
import { stalledPulls } from './forward/stalled.ts'
import { upFlags } from './images.ts'

const TEAM = 'e2e-forward'
const REPOSITORY = 'e2e/forward'

let directory: string
let small: string

beforeAll(async () => {
  await regctlOk(['up', ...upFlags])
  directory = await mkdtemp(join(tmpdir(), 'regctl-forward-'))
  process.env.XDG_STATE_HOME = join(directory, 'state')
  small = await layer(directory, 20)
})

afterAll(async () => {
  await regctl(['dev-forward', '--stop'])
  delete process.env.XDG_STATE_HOME
  await rm(directory, { recursive: true, force: true })
  await kubectlOk(['delete', 'namespace', TEAM, '--ignore-not-found', '--wait=false'])
})

describe.each([
  ['kubectl', 5101],
  ['websocket', 5102],
] as const)('port-forward by %s', (transport, port) => {
  const base = `http://localhost:${port}`
  const image = (tag: string) => `localhost:${port}/${REPOSITORY}-${transport}:${tag}`

  test('crane pushes and pulls, 200 connections at once, pages of others are refused', async () => {
    await using _forward = await foreground(port, '--transport', transport)
    const digest = await push(image('1'), small)
    const pulled = join(directory, `${transport}.tar`)
    expect((await crane('pull', image('1'), pulled)).exitCode).toBe(0)
    expect((await crane('digest', image('1'))).stdout).toBe(digest)
    expect((await crane('digest', `[::1]:${port}/${REPOSITORY}-${transport}:1`)).stdout).toBe(digest)

    const url = `${base}/v2/${REPOSITORY}-${transport}/manifests/1`
    const accept = 'Accept: application/vnd.oci.image.manifest.v1+json'
    const get = `GET ${new URL(url).pathname} HTTP/1.1\r\nHost: localhost:${port}\r\n${accept}\r\nConnection: close\r\n\r\n`
    const answers = await Promise.all(Array.from({ length: 200 }, () => firstLine(port, get)))
    expect(new Set(answers)).toEqual(new Set(['HTTP/1.1 200 OK']))

    const asked = (await reportOf(port))?.connections.total
    expect(await firstLine(port, 'GET /v2/ HTTP/1.1\r\nHost: rebound.example:5000\r\n\r\n')).toContain(' 421 ')
    const origin = `POST /v2/a/blobs/uploads/ HTTP/1.1\r\nHost: localhost:${port}\r\nOrigin: http://page.example\r\n\r\n`
    expect(await firstLine(port, origin)).toContain(' 403 ')
    expect((await reportOf(port))?.connections).toMatchObject({ total: asked, refused: 2 })
  })

  slow('clients that take nothing of a layer cost no memory and nobody else the way', async () => {
    await using forward = await foreground(port, '--transport', transport)
    const digest = await push(image('2'), small)
    const before = await memory(forward.pid, 'VmRSS')
    const stalled = await stalledPulls(port, `${REPOSITORY}-${transport}`, '2', 20)
    // One that comes before anything shows, and one that comes later.
    const early = crane('digest', image('2'))
    await pause(2_000)
    // 20 layers of 20 MiB wait: kept in memory they would be 400 MiB. The rest is what 20 connections cost, and garbage.
    expect((await memory(forward.pid, 'VmRSS')) - before).toBeLessThan(100)
    expect((await crane('digest', image('2'))).stdout).toBe(digest)
    expect((await early).stdout).toBe(digest)
    expect((await reportOf(port))?.state).toBe('ready')
    for (const socket of stalled) socket.destroy()
    await expect.poll(async () => (await reportOf(port))?.connections.open, { timeout: 10_000 }).toBeLessThan(2)
  })

  test('a SIGKILL leaves neither a child nor a listener', async () => {
    const forward = await foreground(port, '--transport', transport)
    const tree = await processTree(forward.pid)
    expect([...tree.values()].some((command) => command.includes('port-forward'))).toBe(transport === 'kubectl')
    process.kill(forward.pid, 'SIGKILL')
    await eventually(
      async () => {
        for (const pid of tree.keys()) expect(await alive(pid), tree.get(pid)).toBe(false)
      },
      { timeout: 5_000, every: 100 },
    )
    expect(await reportOf(port)).toBeUndefined()
    const free = net.createServer().listen(port, '127.0.0.1')
    await once(free, 'listening')
    free.close()
  })

  test.each(['SIGINT', 'SIGTERM'] as const)('%s ends all in order', async (signal) => {
    const { process: child, pid } = await foreground(port, '--transport', transport)
    const tree = await processTree(pid)
    child.kill(signal)
    const [code] = await once(child, 'exit')
    expect(code).toBe(signal === 'SIGINT' ? 130 : 143)
    for (const one of tree.keys()) expect(await alive(one), tree.get(one)).toBe(false)
  })
})

// By the other ways too, in the long suite.
slow('the registry pod is deleted during a push: the retry succeeds, and it serves within 3 s of Ready', async () => {
  await using forward = await foreground(5101, '--transport', 'kubectl')
  const image = `localhost:5101/${REPOSITORY}:3`
  const { pod, report } = await replacedDuringPush(forward.pid, 5101, image, await layer(directory, 100))
  expect(report.detail).toContain(pod)
  expect(report.reconnects).toBeGreaterThan(0)
})

describe('with a command', () => {
  test('the command has the registry, and its exit code is ours', async () => {
    const script = 'crane digest "$REGCTL_REGISTRY/$0" && exit 7'
    const image = `${REPOSITORY}-kubectl:1`
    const result = await regctl(['dev-forward', '--port', '5103', '--', 'sh', '-c', script, image])
    expect(result.stdout, result.stderr).toMatch(/^sha256:[0-9a-f]{64}$/)
    expect(result.exitCode).toBe(7)
    expect(await reportOf(5103)).toBeUndefined()
    expect((await regctl(['dev-forward', '--port', '5103', '--', 'no-such-program'])).exitCode).toBe(127)
  })

  test('with --json our stdout is JSON alone', async () => {
    const result = await regctl(['dev-forward', '--json', '--port', '5103', '--', 'echo', 'hello'])
    expect(JSON.parse(result.stdout)).toMatchObject({ exitCode: 0, port: 5103, reused: false, mode: 'port-forward' })
    expect(result.stderr).toContain('hello')
  })
})

describe('in the background', () => {
  const port = 5000

  test('detach, status, another start is the same one, stop', async () => {
    const first = JSON.parse(await regctlOk(['dev-forward', '--detach', '--json']))
    expect(first).toMatchObject({ state: 'ready', port, reused: false })
    expect(JSON.parse(await regctlOk(['dev-forward', '--detach', '--json']))).toMatchObject({
      pid: first.pid,
      reused: true,
    })
    expect(
      (await regctl(['dev-forward', '--', 'crane', 'digest', `localhost:5000/${REPOSITORY}-kubectl:1`])).exitCode,
    ).toBe(0)
    const { forwards } = JSON.parse(await regctlOk(['dev-forward', '--status', '--json']))
    expect(forwards).toMatchObject([{ pid: first.pid, port }])
    const tree = await processTree(first.pid)
    expect(await regctlOk(['dev-forward', '--stop'])).toContain('localhost:5000')
    for (const pid of tree.keys()) expect(await alive(pid), tree.get(pid)).toBe(false)
    expect((await regctl(['dev-forward', '--status'])).exitCode).toBe(6)
    expect(await regctlOk(['dev-forward', '--stop'])).toContain('No forward runs')
  })

  slow('of five starts at once one serves', async () => {
    const started = await Promise.all(Array.from({ length: 5 }, () => regctlOk(['dev-forward', '--detach', '--json'])))
    const pids = started.map((text) => JSON.parse(text).pid)
    expect(new Set(pids).size).toBe(1)
    expect(JSON.parse(await regctlOk(['dev-forward', '--stop', '--json'])).stopped).toMatchObject([{ port }])
    await expect.poll(() => reportOf(port)).toBeUndefined()
  })

  slow(
    'a killed one comes back; killed with its supervisor it is gone, and what is on record of it harms nobody',
    async () => {
      const { pid } = JSON.parse(await regctlOk(['dev-forward', '--detach', '--json']))
      process.kill(pid, 'SIGKILL')
      const again = await eventually(
        async () => {
          const report = await ready(port)
          expect(report.pid).not.toBe(pid)
          return report
        },
        { timeout: 15_000 },
      )
      const record = join(directory, 'state', 'regctl', `forward-${port}.json`)
      const { default: known } = await import(record, { with: { type: 'json' } })
      const tree = await processTree(again.pid)
      process.kill(known.pid, 'SIGKILL')
      await eventually(async () => {
        for (const one of tree.keys()) expect(await alive(one), tree.get(one)).toBe(false)
      })
      expect((await regctl(['dev-forward', '--status'])).exitCode).toBe(6)
      // The pid is somebody else's by now.
      await writeFile(record, JSON.stringify({ ...known, pid: process.pid }))
      expect(await regctlOk(['dev-forward', '--stop'])).toContain('No forward runs')
    },
  )
})

describe('what is in the way is said', () => {
  test('a port that another process has', async () => {
    const server = net.createServer().listen(5104, '127.0.0.1')
    await once(server, 'listening')
    const { exitCode, stderr } = await regctl(['dev-forward', '--port', '5104'])
    server.close()
    expect(exitCode).toBe(4)
    expect(stderr).toContain(`(pid ${process.pid})`)
    expect(stderr).toContain('regctl dev-forward --port 5105')
  })

  test('an unknown context, and a namespace without a registry', async () => {
    const unknown = await regctl(['dev-forward', '--context', 'no-such-context'])
    expect([unknown.exitCode, unknown.stderr]).toEqual([3, expect.stringContaining('no-such-context')])
    const elsewhere = await regctl(['dev-forward', '--namespace', 'e2e-nowhere', '--port', '5104'])
    expect([elsewhere.exitCode, elsewhere.stderr]).toEqual([3, expect.stringContaining('NOT_INSTALLED')])
  })

  test('a right that is missing, by its name; and credentials that are refused', async () => {
    await kubectlOk(['create', 'namespace', TEAM])
    await kubectlOk(['create', 'serviceaccount', '-n', TEAM, 'developer'])
    const token = (await kubectlOk(['create', 'token', '-n', TEAM, 'developer'])).trim()
    const config = JSON.parse(await kubectlOk(['config', 'view', '--raw', '--minify', '--flatten', '-o', 'json']))
    const as = async (name: string, user: object): Promise<string> => {
      const file = join(directory, `${name}.json`)
      await writeFile(file, JSON.stringify({ ...config, users: [{ ...config.users[0], user }] }), { mode: 0o600 })
      return file
    }
    const restricted = await as('restricted', { token })
    const refused = await regctl(['dev-forward', '--kubeconfig', restricted, '--port', '5104'])
    expect(refused.exitCode).toBe(3)
    expect(refused.stderr).toContain('create pods/portforward')
    const right = ['--namespace', REGISTRY, '--verb=get,list,create', '--resource=pods,pods/portforward']
    await kubectlOk(['create', 'role', 'e2e-forward', ...right])
    const subject = `--serviceaccount=${TEAM}:developer`
    await kubectlOk(['create', 'rolebinding', 'e2e-forward', '-n', REGISTRY, '--role=e2e-forward', subject])
    try {
      // Without the right to watch.
      for (const transport of ['kubectl', 'websocket']) {
        const argv = ['dev-forward', '--kubeconfig', restricted, '--port', '5104', '--transport', transport]
        const allowed = await regctl([...argv, '--', 'crane', 'digest', `localhost:5104/${REPOSITORY}-kubectl:1`])
        expect(allowed.exitCode, allowed.stderr).toBe(0)
      }
    } finally {
      await kubectlOk(['delete', 'role,rolebinding', '-n', REGISTRY, 'e2e-forward'])
    }
    const expired = await as('expired', { token: `${token.slice(0, -6)}AAAAAA` })
    const unauthorized = await regctl(['dev-forward', '--kubeconfig', expired, '--port', '5104'])
    expect([unauthorized.exitCode, unauthorized.stderr]).toEqual([3, expect.stringContaining('does not accept')])
  })
})
