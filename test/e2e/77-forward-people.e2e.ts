import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import net, { type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { REGISTRY } from './attacks/kit.ts'
import { eventually, kubectlOk, regctl, regctlOk, slow } from './cluster.ts'
import { grantTo, publish, publishAddresses, publishAgain, type Stage, stageOf } from './developers/stage.ts'
import { at } from './developers/way-in.ts'
import { certificateOf, kubeconfigBy, kubeconfigOf } from './forward/developer.ts'
import { crane, foreground, layer, push, ready, reportOf, validUntil } from './forward/kit.ts'
import { Logins } from './forward/login.ts'

const TEAM = 'e2e-forward-people'
const USER = 'ada-people@example.org'
const PORT = 5140
const image = (name: string) => `localhost:${PORT}/${name}`

let directory: string
let stage: Stage
let small: string
let logins: Logins
let config: readonly string[]

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'regctl-people-'))
  stage = await stageOf(USER, TEAM)
  logins = await Logins.open(TEAM, directory)
  process.env.XDG_STATE_HOME = join(directory, 'state')
  small = await layer(directory, 1)
  config = ['--kubeconfig', await kubeconfigOf(directory, USER, TEAM)]
})

afterAll(async () => {
  await regctl(['dev-forward', '--stop'])
  delete process.env.XDG_STATE_HOME
  await logins.close()
  await kubectlOk(['delete', 'namespace', '--ignore-not-found', '--wait=false', TEAM])
  await rm(directory, { recursive: true, force: true })
})

describe('who somebody is', () => {
  test('a credential plugin says, and a token that ran out is told', async () => {
    const { exec, tell } = await logins.plugin('plugin')
    await tell(await logins.in('first'))
    const config = await kubeconfigBy(directory, 'plugin', TEAM, () => ({ exec, as: USER }))
    {
      await using _forward = await foreground(PORT, '--kubeconfig', config)
      expect(await reportOf(PORT)).toMatchObject({ mode: 'mesh', identity: `${TEAM}/${stage.account}` })
      await push(image('team/plugin:1'), small)
    }
    const token = await logins.in('short')
    await logins.out('short')
    const expired = await kubeconfigBy(directory, 'expired', TEAM, () => ({ token, as: USER }))
    const { exitCode, stderr } = await regctl(['dev-forward', '--mode', 'mesh', '--kubeconfig', expired])
    expect([exitCode, stderr]).toEqual([3, expect.stringContaining('does not accept the credentials')])
    expect(stderr).toContain('auth whoami')
  })

  test("a group, by a certificate of the cluster's own", async () => {
    const account = await grantTo(TEAM, 'group:e2e-people', 'shared')
    const [member, other] = await Promise.all([
      certificateOf(directory, 'grace', 'others', 'e2e-people'),
      certificateOf(directory, 'eve', 'others'),
    ])
    const grace = await kubeconfigBy(directory, 'grace', TEAM, () => member)
    {
      await using _forward = await foreground(PORT, '--kubeconfig', grace)
      expect(await reportOf(PORT)).toMatchObject({ mode: 'mesh', identity: `${TEAM}/${account}` })
      await push(image('shared/app:1'), small)
      const { exitCode, stderr } = await crane('append', '--oci-empty-base', '-f', small, '-t', image('team/app:1'))
      expect([exitCode, stderr]).toEqual([1, expect.stringContaining(`sa/${account} may not POST`)])
    }
    const eve = await kubeconfigBy(directory, 'eve', TEAM, () => other)
    const refused = await regctl(['dev-forward', '--mode', 'mesh', '--kubeconfig', eve])
    expect([refused.exitCode, refused.stderr]).toEqual([3, expect.stringMatching(/NO_DEVELOPER_ACCESS|NO_IDENTITY/)])
  })

  slow('a group, by an impersonation: one of several, and in both transports', async () => {
    const account = await grantTo(TEAM, 'group:e2e, people', 'impersonated', '--allow-gateway-forward')
    const groups = ['others', 'e2e, people']
    const config = await kubeconfigBy(directory, 'as', TEAM, (self) => ({ ...self, as: 'eve', 'as-groups': groups }))
    await publishAddresses([])
    try {
      for (const transport of ['kubectl', 'websocket']) {
        await using _forward = await foreground(
          PORT,
          '--kubeconfig',
          config,
          '--mode',
          'mesh',
          '--transport',
          transport,
        )
        expect(await reportOf(PORT)).toMatchObject({ identity: `${TEAM}/${account}` })
        await push(image(`impersonated/app:${transport}`), small)
      }
    } finally {
      await publishAgain(stage)
    }
  })
})

test('a gateway that moved is found at its new place', async () => {
  const gateway = at(stage.way.addresses[0] ?? '')
  const open = new Set<net.Socket>()
  const server = net.createServer((client) => {
    const behind = net.connect(gateway.port, gateway.host)
    for (const socket of [client, behind]) open.add(socket.on('error', () => {}))
    client.pipe(behind).pipe(client)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const before = `127.0.0.1:${(server.address() as AddressInfo).port}`
  await publishAddresses([before])
  try {
    await using _forward = await foreground(PORT, ...config)
    const first = await reportOf(PORT)
    expect(first?.detail).toContain(`gateway ${before}`)
    server.close()
    for (const socket of open) socket.destroy()
    await publishAddresses(stage.way.addresses)
    const started = Date.now()
    expect((await fetch(`http://localhost:${PORT}/v2/`)).status).toBe(200)
    expect(Date.now() - started).toBeLessThan(10_000)
    const then = await ready(PORT)
    expect(then.detail).toContain(`gateway ${stage.way.addresses[0]}`)
    expect(validUntil(then)).toBe(validUntil(first))
  } finally {
    server.close()
    await publishAgain(stage)
  }
})

slow('in the background: started anew it is in the same mode, or it is not there', async () => {
  const right = ['--verb=get,list,create', '--resource=pods,pods/portforward', '-n', REGISTRY]
  await kubectlOk(['create', 'role', TEAM, ...right])
  await kubectlOk(['create', 'rolebinding', TEAM, '-n', REGISTRY, `--role=${TEAM}`, `--user=${USER}`])
  const kill = async (pid: number) => {
    process.kill(pid, 'SIGKILL')
    await expect.poll(async () => (await reportOf(PORT))?.pid, { timeout: 5_000 }).not.toBe(pid)
  }
  try {
    const argv = ['dev-forward', '--detach', '--json', '--port', String(PORT), ...config]
    const first = JSON.parse(await regctlOk(argv))
    expect(first).toMatchObject({ mode: 'mesh', identity: `${TEAM}/${stage.account}` })
    await kill(first.pid)
    const again = await ready(PORT)
    expect(again).toMatchObject({ mode: 'mesh', identity: `${TEAM}/${stage.account}` })
    const { roots } = stage.way
    await publish({ 'root-cert.pem': '' })
    try {
      // By port-forward it could.
      const forwarded = await regctl([...argv.slice(0, 2), '--port', '5141', '--json', ...config])
      expect(JSON.parse(forwarded.stdout)).toMatchObject({ mode: 'port-forward' })
      await kill(again.pid)
      await eventually(
        async () => {
          const { forwards } = JSON.parse((await regctl(['dev-forward', '--status', '--json'])).stdout)
          expect(forwards).toMatchObject([{ port: 5141, mode: 'port-forward' }])
        },
        { every: 200 },
      )
      expect(await reportOf(PORT)).toBeUndefined()
    } finally {
      await publish({ 'root-cert.pem': roots })
    }
  } finally {
    await kubectlOk(['delete', 'role,rolebinding', '-n', REGISTRY, TEAM])
  }
})
