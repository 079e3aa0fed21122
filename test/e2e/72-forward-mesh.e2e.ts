import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { kubectlOk, regctl, slow } from './cluster.ts'
import { developerOf, grantTo, INGRESS, publishAddresses, publishAgain, type Stage } from './developers/stage.ts'
import { accountIdentity } from './developers/way-in.ts'
import { kubeconfigOf } from './forward/developer.ts'
import { impostor } from './forward/impostor.ts'
import { crane, firstLine, foreground, layer, push, reportOf, waiting } from './forward/kit.ts'
import { replacedDuringPush } from './forward/replaced.ts'

const TEAM = 'e2e-forward-mesh'
const CI = 'e2e-forward-ci'
const PORT = 5110
const image = (name: string) => `localhost:${PORT}/${name}`

let directory: string
let stage: Stage
let ada: string
let small: string
let config: readonly string[]

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'regctl-mesh-'))
  stage = await developerOf(TEAM, CI)
  ada = await kubeconfigOf(directory, 'ada@example.org', TEAM)
  config = ['--kubeconfig', ada]
  small = await layer(directory, 20)
})

afterAll(async () => {
  await kubectlOk(['delete', 'namespace', '--ignore-not-found', '--wait=false', TEAM, CI])
  await rm(directory, { recursive: true, force: true })
})

test('with exactly the rights of a grant: mesh mode by itself, and no port-forward', async () => {
  await using _forward = await foreground(PORT, ...config)
  expect(await reportOf(PORT)).toMatchObject({ mode: 'mesh', identity: `${TEAM}/${stage.account}`, state: 'ready' })
  const digest = await push(image('team/app:1'), small)
  expect((await crane('digest', `[::1]:${PORT}/team/app:1`)).stdout).toBe(digest)
  expect((await crane('pull', image('team/app:1'), join(directory, 'pulled.tar'))).exitCode).toBe(0)

  const refused = await regctl(['dev-forward', '--mode', 'port-forward', '--port', '5111', ...config])
  expect([refused.exitCode, refused.stderr]).toEqual([3, expect.stringContaining('create pods/portforward')])
  expect(refused.stderr).toContain('regctl dev-forward --mode mesh')
})

test('a repository that is not granted is refused, with the command that would allow it', async () => {
  await using _forward = await foreground(PORT, ...config)
  const { exitCode, stderr } = await crane('append', '--oci-empty-base', '-f', small, '-t', image('other/app:1'))
  expect(exitCode).not.toBe(0)
  expect(stderr).toContain(`spiffe://cluster.local/ns/${TEAM}/sa/${stage.account} may not POST /v2/other/app/`)
  expect(stderr).toContain('regctl grant NAMESPACE REPOSITORY --developer user:NAME')
})

test('200 connections at once; pages of others, and names that are not localhost, get nothing', async () => {
  await using _forward = await foreground(PORT, ...config)
  const get = `GET /v2/ HTTP/1.1\r\nHost: localhost:${PORT}\r\nConnection: close\r\n\r\n`
  const answers = await Promise.all(Array.from({ length: 200 }, () => firstLine(PORT, get)))
  expect(new Set(answers)).toEqual(new Set(['HTTP/1.1 200 OK']))
  const before = await reportOf(PORT)
  expect(await firstLine(PORT, 'GET /v2/ HTTP/1.1\r\nHost: rebound.example:5000\r\n\r\n')).toContain(' 421 ')
  const page = `POST /v2/a/blobs/uploads/ HTTP/1.1\r\nHost: localhost:${PORT}\r\nOrigin: http://page.example\r\n\r\n`
  expect(await firstLine(PORT, page)).toContain(' 403 ')
  const { connections, bytes } = (await reportOf(PORT)) ?? {}
  expect(connections).toMatchObject({ total: before?.connections.total, refused: 2 })
  expect(bytes?.up).toBe(before?.bytes.up)
})

test("another workload's certificate at the registry's address is refused", async () => {
  const other = await accountIdentity(stage.way, CI, 'default')
  await using address = await impostor(stage.way, other)
  await using _forward = await waiting(PORT, '--gateway', address.address, ...config)
  expect((await reportOf(PORT))?.detail).toContain(`spiffe://cluster.local/ns/${CI}/sa/default`)
  expect(address.asked()).toBeGreaterThan(0)
  const answered = await Promise.race([
    firstLine(PORT, `GET /v2/ HTTP/1.1\r\nHost: localhost:${PORT}\r\n\r\n`),
    pause(1_500),
  ])
  expect(answered).toBeUndefined()
})

test('the gateway is deleted: served again by the next one', async () => {
  await using _forward = await foreground(PORT, ...config, '--gateway', stage.way.addresses[0] ?? '')
  await kubectlOk(['delete', 'pod', '-n', INGRESS, '-l', 'app=registry-ingress', '--grace-period=1'])
  const served = await fetch(`http://localhost:${PORT}/v2/`)
  expect(served.status).toBe(200)
})

test("the gateway's hop is saved where the registry has a port of the nodes, and taken where that does not answer", async () => {
  const [own = ''] = stage.way.registryAddresses
  await using forward = await foreground(PORT, ...config)
  expect(forward.pid).toBeGreaterThan(0)
  expect((await reportOf(PORT))?.detail).toMatch(/ through the registry's own address /)
  await forward[Symbol.asyncDispose]()
  await publishAddresses(stage.way.addresses, [own.replace(/\d+$/, '1')])
  try {
    await using _other = await foreground(PORT, ...config)
    expect((await reportOf(PORT))?.detail).toMatch(/ through gateway /)
    await push(image('team/app:by-gateway'), small)
  } finally {
    await publishAgain(stage)
  }
})

slow('the registry pod is deleted during a push: the retry succeeds, and it serves within 3 s of Ready', async () => {
  await using forward = await foreground(PORT, ...config)
  await replacedDuringPush(forward.pid, PORT, image('team/large:1'), await layer(directory, 200))
})

slow('where the gateway has no address, by a port-forward to it, for those who may', async () => {
  const account = await grantTo(TEAM, 'user:bob@example.org', 'bobs', '--allow-gateway-forward')
  const bob = ['--kubeconfig', await kubeconfigOf(directory, 'bob@example.org', TEAM)]
  await publishAddresses([])
  try {
    for (const transport of ['kubectl', 'websocket']) {
      await using _forward = await foreground(PORT, '--mode', 'mesh', '--transport', transport, ...bob)
      expect(await reportOf(PORT)).toMatchObject({
        identity: `${TEAM}/${account}`,
        detail: expect.stringContaining('a port-forward to the gateway'),
      })
      const digest = await push(image(`bobs/app:${transport}`), small)
      expect((await crane('digest', image(`bobs/app:${transport}`))).stdout).toBe(digest)
    }
    await using _forward = await waiting(PORT, '--mode', 'mesh', ...config)
    expect((await reportOf(PORT))?.detail).toContain("cannot reach the developers' gateway")
  } finally {
    await publishAgain(stage)
  }
})
