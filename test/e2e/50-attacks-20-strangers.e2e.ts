import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  apply,
  BUILDER,
  ensureVictim,
  inside,
  NODES,
  namespace,
  pod,
  podIp,
  podOf,
  REGISTRY,
  ready,
  remove,
  SECRET,
  SERVICE,
  statuses,
} from './attacks/kit.ts'
import { hijack, inForce } from './attacks/mesh.ts'
import { codesIn, request, type Wire, wire } from './attacks/raw.ts'
import { eventually, kubectlOk, regctlOk } from './cluster.ts'

const EVIL = 'attack-strangers'
const MESH_WIDE = ['authorizationpolicy', ['attack-allow-all'], '-n', 'istio-system'] as const
const UPLOAD = `${SERVICE}/v2/example/app/blobs/uploads/`

let builder: Wire
let node: Wire
let registryIp = ''
let nodeIp = ''

beforeAll(async () => {
  await Promise.all([ensureVictim(), remove('namespace', [EVIL]), remove('pod', [EVIL], '-n', BUILDER)])
  await apply(namespace(EVIL, true))
  // The builder's own labels, its service account's name and a registry's: none of them is an identity.
  const labels = { 'job-name': 'build', 'security.istio.io/tlsMode': 'istio', app: 'kube-registry' }
  await apply(
    pod(EVIL, 'stranger', { labels }),
    pod(EVIL, 'plain', { labels: { 'sidecar.istio.io/inject': 'false' } }),
    pod(BUILDER, EVIL),
    pod(BUILDER, `${EVIL}-plain`, { labels: { 'sidecar.istio.io/inject': 'false' } }),
  )
  await Promise.all([ready(EVIL, 'stranger', 'plain'), ready(BUILDER, EVIL, `${EVIL}-plain`)])
  builder = await wire(BUILDER, EVIL, 5000)
  const nodePod = await podOf(NODES, 'registry-node')
  node = await wire(NODES, nodePod, 5000)
  nodeIp = await podIp(NODES, nodePod)
  registryIp = await podIp(REGISTRY, await podOf(REGISTRY, 'kube-registry'))
})

afterAll(async () => {
  for (const one of [builder, node]) await one?.[Symbol.asyncDispose]()
  await Promise.all([
    remove(...MESH_WIDE),
    remove('namespace', [EVIL], '--wait=false'),
    remove('pod', [EVIL, `${EVIL}-plain`], '-n', BUILDER, '--wait=false'),
  ])
})

test("a pod of another namespace with the builder's labels gets nothing", async () => {
  // By the pod's address its proxy knows no service and goes in plaintext, which is reset: its 503.
  const forged = `-H 'X-Forwarded-Client-Cert: By=x;URI=spiffe://cluster.local/ns/${BUILDER}/sa/default'`
  const asked = [
    `${SERVICE}/v2/`,
    `-I ${SERVICE}/v2/example/app/manifests/1`,
    `-X POST ${UPLOAD}`,
    `${forged} ${SERVICE}/v2/`,
    `${forged} -X POST ${UPLOAD}`,
    `http://${registryIp}:5000/v2/`,
    `${SERVICE}/v2/_catalog`,
  ]
  expect(await statuses(EVIL, 'stranger', ...asked)).toEqual(['403', '403', '403', '403', '403', '503', '403'])
  expect(await statuses(BUILDER, EVIL, `${SERVICE}/v2/`, `-X POST ${UPLOAD}`)).toEqual(['200', '202'])
})

test('a pod without a proxy gets no word in plaintext, nor by a TLS of its own', async () => {
  const asked = [
    `${SERVICE}/v2/`,
    `http://${registryIp}:5000/v2/`,
    `-X POST http://${registryIp}:5000/v2/example/app/blobs/uploads/`,
    `-k https://${registryIp}:5000/v2/`,
    `http://${registryIp}:15006/v2/`,
    `http://${nodeIp}:5000/v2/`,
    `-H 'Host: localhost:5000' http://${nodeIp}:5000/v2/`,
  ]
  const nothing = asked.map(() => '000')
  expect(await Promise.all([statuses(EVIL, 'plain', ...asked), statuses(BUILDER, `${EVIL}-plain`, ...asked)])).toEqual([
    nothing,
    nothing,
  ])
})

test('the other ports of both proxies tell a pod no more than that they are ready', async () => {
  const paths = [
    '/',
    '/healthz/ready',
    '/stats/prometheus',
    '/stats',
    '/metrics',
    '/config_dump',
    '/certs',
    '/server_info',
    '/debug/pprof/',
    '/debug/ndsz',
    '/quitquitquit',
  ]
  const targets = [
    [registryIp, [15000, 15001, 15004, 15006, 15008, 15020, 15021, 15053, 15090]],
    [nodeIp, [15000, 15020, 15021, 15090, 15900, 15920, 15921, 15922]],
  ] as const
  const urls = targets.flatMap(([ip, ports]) => ports.map((port) => paths.map((path) => `http://${ip}:${port}${path}`)))
  // One command a port, so that a port nobody answers on costs one wait.
  const script = urls
    .map(
      (of) =>
        `(for u in ${of.join(' ')}; do curl -s -m 2 -o /dev/null -w '%{http_code} %{size_download} %{url}\\n' $u || break; done; curl -s -m 2 -X POST -o /dev/null -w '%{http_code} 0 %{url}\\n' ${of.at(-1)}) &`,
    )
    .join('\n')
  const { stdout } = await inside(EVIL, 'plain', `${script}\nwait`)
  const told = stdout.split('\n').filter((line) => line.startsWith('2'))
  expect(told.filter((line) => !/^200 [0-9] .*\/healthz\/ready$/.test(line))).toEqual([])
  expect(told.length).toBeGreaterThan(0)
})

test("mesh objects of another namespace for the registry's host redirect neither builders nor nodes", async () => {
  try {
    await apply(...hijack(EVIL))
    // The stranger's own traffic shows that they are in force.
    await eventually(async () => expect(await statuses(EVIL, 'stranger', `${SERVICE}/v2/`)).not.toEqual(['403']), {
      timeout: 30_000,
    })
    for (let round = 0; round < 3; round++) {
      await pause(300)
      for (const victim of [builder, node]) {
        const answer = await victim.ask(request('GET', '/v2/'))
        expect(codesIn(answer)).toEqual([200])
        expect(answer).toContain('docker-distribution-api-version: registry/2.0')
      }
    }
    expect(codesIn(await builder.ask(request('POST', '/v2/example/app/blobs/uploads/')))).toEqual([202])
  } finally {
    await remove('virtualservice,destinationrule,serviceentry', ['attack-hijack'], '-n', EVIL)
  }
})

test('an ALLOW for everybody in the root namespace opens nothing: strangers, nodes and grantees stay within bounds', async () => {
  const metadata = { name: 'attack-allow-all', namespace: 'istio-system' }
  try {
    await apply({
      apiVersion: 'security.istio.io/v1',
      kind: 'AuthorizationPolicy',
      metadata,
      spec: { action: 'ALLOW', rules: [{}] },
    })
    await inForce('ns[istio-system]-policy[attack-allow-all]')
    const stranger = [
      `${SERVICE}/v2/`,
      `-X POST ${UPLOAD}`,
      `-X POST ${SERVICE}/v2/${SECRET}/blobs/uploads/`,
      `${SERVICE}/v2/_catalog`,
    ]
    expect(await statuses(EVIL, 'stranger', ...stranger)).toEqual(['403', '403', '403', '403'])
    const push = request('POST', `/v2/${SECRET}/blobs/uploads/`)
    const tag = request('PUT', `/v2/${SECRET}/manifests/1`)
    const listing = request('GET', '/v2/_catalog')
    for (const victim of [builder, node]) {
      for (const bytes of [push, tag, listing]) expect(codesIn(await victim.ask(bytes))).toEqual([403])
    }
    expect(codesIn(await node.ask(request('POST', '/v2/example/app/blobs/uploads/')))).toEqual([403])
    expect(codesIn(await builder.ask(request('POST', '/v2/example/app/blobs/uploads/')))).toEqual([202])
  } finally {
    await remove(...MESH_WIDE)
  }
})

test("regctl's own labels in another namespace neither stop it nor make it delete what is there", async () => {
  const labels = { 'regctl.dev/installation': REGISTRY }
  await apply(
    {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'regctl', namespace: EVIL, labels: { 'regctl.dev/installation': EVIL } },
      data: { 'settings.json': '{' },
    },
    { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'theirs', namespace: EVIL, labels } },
  )
  const { removed } = JSON.parse(await regctlOk(['up', '--json']))
  expect(removed).toEqual([])
  await kubectlOk(['get', 'configmap', 'theirs', '-n', EVIL])
})
