import { afterAll, beforeAll, expect, test } from 'vitest'
import { apply, NODES, podOf, REGISTRY, remove } from './attacks/kit.ts'
import { gateway, moved } from './attacks/mesh.ts'
import { bind } from './attacks/node.ts'
import { whilePulling } from './attacks/turn.ts'
import {
  ask,
  builder,
  type Client,
  clients,
  ensureBuilder,
  ensureNamespaces,
  getJson,
  manifest,
  onHost,
  push,
  someNodes,
} from './clients.ts'
import { eventually, kubectlOk, lab, labOnly, onNode, regctlOk } from './cluster.ts'
import { refused } from './developers/gateways.ts'
import { upFlags } from './images.ts'

const EVIL = 'e2e-node-gateway'
const mark = `e2e-mark-${Date.now()}`
const image = ['example/app', 'gateway'] as const

let hosts: readonly Client[] = []

const status = async (): Promise<{ nodeProxy: string; problems: readonly object[] }> =>
  JSON.parse(await regctlOk(['status', '--json']))

/** What the proxies of one kind of pod logged of requests for the marked repository. */
const logged = async (where: string, app: string): Promise<readonly string[]> =>
  (await kubectlOk(['logs', '-n', where, '-l', `app=${app}`, '-c', 'istio-proxy', '--tail=500']))
    .split('\n')
    .filter((line) => line.includes(mark))

beforeAll(async () => {
  await ensureNamespaces(EVIL)
  const nodes = await someNodes()
  // In force for all that follows: istiod would move the gateways' port by them, whoever's they are.
  await apply(...moved(EVIL, [...nodes.map(({ ip }) => ip), '192.0.2.1']))
  hosts = nodes.map(({ name }) => ({ namespace: EVIL, name: `host-${name}` }))
  // A grant needs a registry, and the suite before may have left none.
  const registry = regctlOk(['up', ...upFlags, '--node-proxy', 'gateway'])
  await Promise.all([
    registry.then(() => ensureBuilder()),
    clients(...nodes.map(({ name }) => onHost(EVIL, `host-${name}`, name))),
  ])
  await push(builder, ...image)
})

afterAll(async () => {
  await remove('namespace', [EVIL], '--wait=false')
})

test('every node pulls by a gateway, which is kept, told and rendered', async () => {
  for (const host of hosts) {
    const bases = ['http://localhost:5000', 'http://127.0.0.1:5000', 'http://[::1]:5000']
    const answers = await ask(
      host,
      bases.map((base) => manifest(...image, base)),
    )
    expect(answers.map((answer) => answer.status)).toEqual([200, 200, 200])
  }
  const [again, told, state, rendered] = await Promise.all([
    regctlOk(['up']),
    regctlOk(['status']),
    status(),
    regctlOk(['render']),
  ])
  expect(again).toContain('Nothing to change')
  expect(told).toMatch(/^node gateway +\S+ +ready/m)
  expect(state).toMatchObject({ nodeProxy: 'gateway', problems: [] })
  expect(rendered).toMatch(/^kind: Gateway$/m)
  expect(rendered).not.toContain('node-listener')
})

test("a node's own Envoy refuses what is no pull, in its log, and the registry never hears of it", async () => {
  const [host] = hosts
  const url = `http://localhost:5000/v2/${mark}`
  const answers = await ask(host as Client, [
    { url: `${url}/manifests/1` },
    ...['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'].map((method) => ({ method, url: `${url}/blobs/uploads/` })),
    { url: `${url}/manifests/evil`, host: 'evil.example' },
    { url: `${url}/manifests/evil`, host: 'localhost:80' },
    { url: `${url}/tags/list` },
    { url: `http://localhost:5000/v2/_catalog?${mark}` },
    { url: `http://localhost:5000/${mark}` },
  ])
  expect(answers.map((answer) => answer.status)).toEqual([404, ...answers.slice(1).map(() => 403)])
  expect(JSON.parse(answers[1]?.body ?? '')).toEqual({
    errors: [
      {
        code: 'DENIED',
        message: `a node only pulls, as localhost:5000: it may not POST /v2/${mark}/blobs/uploads/ as localhost:5000`,
      },
    ],
  })
  await eventually(async () => {
    const node = await logged(NODES, 'registry-node')
    expect(node.filter((line) => line.includes('" 403 - rbac_access_denied'))).toHaveLength(answers.length - 1)
    // Its own log shows what does come: the one pull, of an image that is not there.
    const registry = await logged(REGISTRY, 'kube-registry')
    expect(registry.map((line) => /"(\w+) \S+ HTTP\/1\.1" (\d+)/.exec(line)?.slice(1))).toEqual([['GET', '404']])
  })
})

test('Gateways of others are not admitted where they might attach, and their routes lead nowhere', async () => {
  const node = (await someNodes())[0]?.name ?? ''
  const labels = (
    await getJson<{ metadata: { labels: Record<string, string> } }>(
      'pod',
      '-n',
      NODES,
      await podOf(NODES, 'registry-node'),
    )
  ).metadata.labels
  const hash = { 'controller-revision-hash': labels['controller-revision-hash'] ?? '' }
  const attempts: Readonly<Record<string, Record<string, string>>> = {
    label: { app: 'registry-node' },
    labels,
    none: {},
    hash,
    hostname: { 'kubernetes.io/hostname': node },
    cluster: { 'topology.istio.io/cluster': 'Kubernetes' },
    mixed: { app: 'registry-node', 'topology.istio.io/cluster': 'Kubernetes' },
  }
  const made = Object.entries(attempts).map(([name, selector]) => gateway(EVIL, name, selector, 18_083)[0] as object)
  const said = await refused(...made, gateway(EVIL, 'fine', { istio: 'ingressgateway' }, 18_083)[0] as object)
  expect(Object.keys(said).sort()).toEqual(Object.keys(attempts).sort())
  expect(said.label).toContain(`could attach to the registry's node proxies (namespace ${NODES})`)
  const [, poison] = gateway(EVIL, 'poison', {}, 18_083) as [object, { spec: object }]
  await apply({ ...poison, spec: { ...poison.spec, gateways: [`${NODES}/registry-node`], exportTo: ['*'] } })
  for (let round = 0; round < 4; round++) {
    const answers = await Promise.all(hosts.map((host) => ask(host, [manifest(...image)])))
    expect(answers.flat().map((answer) => answer.status)).toEqual(hosts.map(() => 200))
  }
  expect((await status()).problems).toEqual([])
  await remove('virtualservice', ['poison'], '-n', EVIL)
})

labOnly('the gateway has its port on loopback alone and shares it with nobody', async () => {
  for (const { name } of lab?.nodes ?? []) {
    const held = (await onNode(name, ['ss', '-Hlnt']))?.stdout.match(/\S+:5000\b/g)
    expect(held?.sort()).toEqual(['127.0.0.1:5000', '[::1]:5000'])
    for (const address of ['127.0.0.1', '::1', '0.0.0.0'])
      expect(await bind(name, address, 5000, 1337)).toBe('EADDRINUSE')
  }
})

test('going back to the default, nodes pull all the while but for one at a time, for its own few seconds', async () => {
  const { exitCode, stderr } = await whilePulling(hosts, image, ['up', '--node-proxy', 'sidecar'])
  expect(exitCode, stderr).toBe(0)
  expect(await status()).toMatchObject({ nodeProxy: 'sidecar', problems: [] })
  const left = await kubectlOk([
    'get',
    'gateways.networking.istio.io,virtualservices,telemetries',
    '-n',
    NODES,
    '-o',
    'name',
  ])
  expect(left).toBe('')
  await kubectlOk(['get', 'sidecars', '-n', NODES, 'registry-node'])
})
