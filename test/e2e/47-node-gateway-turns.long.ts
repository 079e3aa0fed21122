import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { apply, BUILDER, NODES, pod, podOf, REGISTRY, ready, remove } from './attacks/kit.ts'
import { gateway } from './attacks/mesh.ts'
import { codesIn, request, wire } from './attacks/raw.ts'
import { rejectedByNodes } from './attacks/rejected.ts'
import { whilePulling } from './attacks/turn.ts'
import {
  builder,
  type Client,
  clients,
  ensureBuilder,
  ensureNamespaces,
  getJson,
  onHost,
  push,
  someNodes,
} from './clients.ts'
import { eventually, kubectlOk, regctl, regctlOk } from './cluster.ts'
import { refused, withoutAdmission } from './developers/gateways.ts'
import { upFlags } from './images.ts'
import { build } from './kaniko.ts'

const EVIL = 'e2e-gateway-turns'
const image = ['example/app', 'gateway'] as const
let hosts: readonly Client[] = []

const status = async (): Promise<{ nodeProxy: string; problems: readonly { what: string }[] }> =>
  JSON.parse((await regctl(['status', '--json'])).stdout)

const problems = async () => (await status()).problems.map(({ what }) => what)

beforeAll(async () => {
  await regctlOk(['up', ...upFlags, '--node-proxy', 'sidecar'])
  await ensureNamespaces(EVIL)
  const nodes = await someNodes()
  hosts = nodes.map(({ name }) => ({ namespace: EVIL, name: `host-${name}` }))
  await Promise.all([ensureBuilder(), clients(...nodes.map(({ name }) => onHost(EVIL, `host-${name}`, name)))])
  await push(builder, ...image)
})

afterAll(async () => {
  await remove('envoyfilter', ['attack-turn'], '-n', NODES)
  await remove('namespace', [EVIL], '--wait=false')
  await regctlOk(['up', '--node-proxy', 'sidecar'])
})

describe('becoming a gateway', () => {
  test('that fails goes back by itself: one node waits, the others never notice', async () => {
    // No new proxy gets ready.
    await apply(rejectedByNodes('attack-turn', 'GATEWAY'))
    const argv = ['up', '--node-proxy', 'gateway']
    const { exitCode, stderr } = await whilePulling(hosts, image, argv, 60_000)
    expect(exitCode, stderr).toBe(5)
    expect(stderr).toMatch(
      /did not become a gateway: .*refused listener .*no-address.*; every node has its sidecar again/s,
    )
    expect(await status()).toMatchObject({ nodeProxy: 'sidecar', problems: [] })
    const left = ['gateways.networking.istio.io,virtualservices,telemetries,authorizationpolicies', '-n', NODES]
    expect(await kubectlOk(['get', ...left, '-o', 'name'])).toBe('')
    await remove('envoyfilter', ['attack-turn'], '-n', NODES)
  })

  test('that is killed halfway goes on with the next up', async () => {
    const up = spawn(process.env.REGCTL_BIN ?? '', ['up', '--node-proxy', 'gateway'], { stdio: 'ignore' })
    const over = once(up, 'exit')
    type Set = { status: { updatedNumberScheduled?: number; desiredNumberScheduled: number } }
    await eventually(
      async () => {
        const { status: now } = await getJson<Set>('daemonset', '-n', NODES, 'registry-node')
        expect(now.updatedNumberScheduled ?? 0).toBeLessThan(now.desiredNumberScheduled)
      },
      { every: 50 },
    )
    up.kill('SIGKILL')
    await over
    await regctlOk(['up'])
    expect(await status()).toMatchObject({ nodeProxy: 'gateway', problems: [] })
    await regctlOk(['up', '--node-proxy', 'sidecar'])
  })

  test('nodes pull all the while but for one at a time, for its own few seconds', async () => {
    const { exitCode, stderr } = await whilePulling(hosts, image, ['up', '--node-proxy', 'gateway'])
    expect(exitCode, stderr).toBe(0)
    expect(await status()).toMatchObject({ nodeProxy: 'gateway', problems: [] })
  })

  test('the kubelet of every node pulls by it', async () => {
    const text = `built ${Date.now()}`
    const built = await build(BUILDER, 'build-gateway', 'localhost:5000/example/app:run', text)
    expect(built.succeeded, built.log).toBe(true)
    const nodes = await someNodes()
    const container = {
      image: `localhost:5000/example/app@${built.digest}`,
      imagePullPolicy: 'Always',
      command: undefined,
    }
    await apply(...nodes.map(({ name }) => pod(EVIL, `run-${name}`, { spec: { nodeName: name }, container })))
    await ready(EVIL, ...nodes.map(({ name }) => `run-${name}`))
  })
})

describe('a Gateway of others that is there before the rule, or without it', () => {
  const [rogue] = gateway(EVIL, 'rogue', { app: 'registry-node' }, 18_084) as [object]

  test('would open a port on every node; status and up name it', async () => {
    const node = await podOf(NODES, 'registry-node')
    await withoutAdmission(`regctl-node-gateways-${REGISTRY}`, rogue)
    try {
      await eventually(async () => {
        await using there = await wire(NODES, node, 18_084)
        expect(codesIn(await there.ask(request('GET', '/v2/')))).not.toEqual([])
      })
      const up = await regctl(['up'])
      expect([up.exitCode, up.stderr]).toEqual([
        4,
        expect.stringContaining(`Gateway ${EVIL}/rogue would attach to the nodes' gateways`),
      ])
      expect(await problems()).toEqual(
        expect.arrayContaining([
          `Gateway ${EVIL}/rogue attaches to the nodes' gateways and can answer their pulls`,
          expect.stringMatching(/^the gateway of node \S+: it listens on \S+ port 18084$/),
        ]),
      )
    } finally {
      await remove('gateways.networking.istio.io', ['rogue'], '-n', EVIL)
    }
    await regctlOk(['up'])
    await eventually(async () => expect(Object.keys(await refused(rogue))).toEqual(['rogue']))
  })
})

test('the log of the nodes is on, whatever the mesh says of logs', async () => {
  const telemetry = {
    apiVersion: 'telemetry.istio.io/v1',
    kind: 'Telemetry',
    metadata: { name: 'attack-no-logs', namespace: 'istio-system' },
    spec: { accessLogging: [{ disabled: true }] },
  }
  const asked = async (path: string, where: string, app: string): Promise<boolean> => {
    await using node = await wire(NODES, await podOf(NODES, 'registry-node'), 5000)
    await node.ask(request('GET', path))
    const logs = await kubectlOk(['logs', '-n', where, '-l', `app=${app}`, '-c', 'istio-proxy', '--tail=300'])
    return logs.includes(path)
  }
  const path = () => `/v2/example/app/manifests/asked-${Math.random()}`
  await apply(telemetry)
  try {
    await eventually(async () => expect(await asked(path(), REGISTRY, 'kube-registry')).toBe(false), { every: 2000 })
    await eventually(async () => expect(await asked(path(), NODES, 'registry-node')).toBe(true))
  } finally {
    await remove('telemetry', ['attack-no-logs'], '-n', 'istio-system')
  }
})
