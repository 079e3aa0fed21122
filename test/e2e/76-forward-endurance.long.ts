import { mkdtemp, rm } from 'node:fs/promises'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { eventually, kubectlOk, labOnly } from './cluster.ts'
import { developerOf } from './developers/stage.ts'
import { restartApiServer } from './forward/api-server.ts'
import { kubeconfigBy, kubeconfigOf } from './forward/developer.ts'
import { foreground, layer, memory, push, ready, reportOf, slowUpload, validUntil } from './forward/kit.ts'
import { Logins } from './forward/login.ts'
import { MODES, serve } from './forward/modes.ts'
import { replacedDuringPush } from './forward/replaced.ts'
import { pullAgain, pushAgain, upload } from './forward/volume.ts'

const TEAM = 'e2e-endurance'
const PORT = 5130
const image = (name: string) => `localhost:${PORT}/${name}`

let directory: string
let ada: string

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'regctl-endurance-'))
  await developerOf(TEAM)
  ada = await kubeconfigOf(directory, 'ada@example.org', TEAM)
})

afterAll(async () => {
  await kubectlOk(['delete', 'namespace', '--ignore-not-found', '--wait=false', TEAM])
  await rm(directory, { recursive: true, force: true })
})

const shortLived = (port = PORT) =>
  foreground(port, '--certificate-lifetime', '1m', '--mode', 'mesh', '--kubeconfig', ada)

// These and the next run at once, so each forward has a port of its own.
describe.concurrent('certificates of 60 s', () => {
  const policed = MODES.filter((mode) => mode.policed).map((mode, index) => ({ ...mode, port: PORT + index }))

  test.each(policed)('$name: transfers of 5 minutes, and no push breaks', { timeout: 420_000 }, async (mode) => {
    const { port } = mode
    await using _forward = await serve(mode, port, ada, '--certificate-lifetime', '1m')
    const names = ['one', 'two', 'three']
    const uploads = Promise.all(names.map((name) => slowUpload(port, `team/${mode.name}/${name}`, 300)))
    const small = await layer(directory, 5)
    let pushes = 0
    for (const end = Date.now() + 300_000; Date.now() < end; pushes++)
      await push(`localhost:${port}/team/${mode.name}/app:${pushes}`, small)
    expect(await uploads).toEqual([201, 201, 201])
    expect(pushes).toBeGreaterThan(50)
    expect((await reportOf(port))?.connections.failed).toBe(0)
  })
})

const statusOf = (port: number) => fetch(`http://localhost:${port}/v2/`).then((response) => response.status)

describe.concurrent('a minute that a certificate lives', () => {
  test.each([
    ['a renewal', PORT + 2, 30_000],
    ['its end', PORT + 3, 75_000],
  ])('a process that stood still past %s serves at once', { timeout: 150_000 }, async (_, port, asleep) => {
    await using forward = await shortLived(port)
    const before = validUntil(await reportOf(port))
    process.kill(forward.pid, 'SIGSTOP')
    try {
      await pause(asleep)
    } finally {
      process.kill(forward.pid, 'SIGCONT')
    }
    const awake = Date.now()
    expect(await statusOf(port)).toBe(200)
    expect(Date.now() - awake).toBeLessThan(5_000)
    await eventually(async () => expect(validUntil(await ready(port))).not.toBe(before), { timeout: 10_000 })
    expect((await reportOf(port))?.connections.failed).toBe(0)
  })

  test('who logs in anew gets the next certificate by that login', { timeout: 90_000 }, async () => {
    const port = PORT + 4
    const logins = await Logins.open(TEAM, directory)
    const { exec, tell } = await logins.plugin('endurance')
    try {
      await tell(await logins.in('one'))
      const config = await kubeconfigBy(directory, 'login', TEAM, () => ({ exec, as: 'ada@example.org' }))
      const flags = ['--certificate-lifetime', '1m', '--mode', 'mesh', '--kubeconfig', config]
      await using _forward = await foreground(port, ...flags)
      const before = validUntil(await reportOf(port))
      await tell(await logins.in('two'))
      await logins.out('one')
      const details: string[] = []
      await eventually(
        async () => {
          const report = await ready(port)
          details.push(report.detail)
          expect(validUntil(report)).not.toBe(before)
        },
        { timeout: 40_000 },
      )
      expect(details.filter((detail) => detail.includes('renewal fails'))).toEqual([])
      expect(await statusOf(port)).toBe(200)
    } finally {
      await logins.close()
    }
  })
})

describe('istiod is away when a certificate is to be renewed', () => {
  const scale = (replicas: number) =>
    kubectlOk(['scale', 'deployment/istiod', '-n', 'istio-system', `--replicas=${replicas}`])

  test('served until it runs out, said meanwhile, and served again afterwards', { timeout: 240_000 }, async () => {
    await using _forward = await shortLived()
    await scale(0)
    try {
      const failing = await eventually(
        async () => {
          const report = await ready(PORT)
          expect(report.detail).toContain('renewal fails')
          return report
        },
        { timeout: 50_000 },
      )
      expect(failing.state).toBe('ready')
      expect(await statusOf(PORT)).toBe(200)
      await eventually(async () => expect((await reportOf(PORT))?.state).toBe('waiting'), { timeout: 60_000 })
    } finally {
      await scale(1)
      await kubectlOk(['rollout', 'status', 'deployment/istiod', '-n', 'istio-system', '--timeout=120s'])
    }
    expect((await ready(PORT, 60_000)).detail).not.toContain('renewal fails')
    expect(await statusOf(PORT)).toBe(200)
  })
})

describe.each(MODES)('$name', (mode) => {
  test('the registry pod is deleted during a push: the retry succeeds, and it serves within 3 s of Ready', async () => {
    await using forward = await serve(mode, PORT, ada)
    await replacedDuringPush(forward.pid, PORT, image('team/large:1'), await layer(directory, 200))
  })

  labOnly('the API server is restarted: pushes go on afterwards, and in mesh mode meanwhile', async () => {
    await using _forward = await serve(mode, PORT, ada)
    const small = await layer(directory, 5)
    await push(image('team/restart:1'), small)
    const restarted = restartApiServer(5_000)
    await pause(2_000)
    if (mode.policed) await push(image('team/restart:2'), small)
    await restarted
    await eventually(() => push(image('team/restart:3'), small), { timeout: 30_000 })
  })

  test('10 GB, and a peer or a client that stalls: at most 120 MB resident', { timeout: 300_000 }, async () => {
    await using forward = await serve(mode, PORT, ada)
    const blob = await upload(PORT, 'team/volume', directory, 200)
    const stalled = Array.from({ length: 4 }, () => {
      const socket = net.connect(PORT, '127.0.0.1').pause()
      socket.write(`GET /v2/team/volume/blobs/${blob.digest} HTTP/1.1\r\nHost: localhost:${PORT}\r\n\r\n`)
      return socket
    })
    for (let round = 0; round < 25; round++) {
      await pullAgain(PORT, 'team/volume', blob)
      await pushAgain(PORT, 'team/volume', blob)
    }
    for (const socket of stalled) socket.destroy()
    const { bytes } = await ready(PORT)
    expect(bytes.up + bytes.down).toBeGreaterThan(10e9)
    expect((await memory(forward.pid, 'VmHWM')) * 1.048576).toBeLessThan(120)
  })
})
