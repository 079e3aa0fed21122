import { afterAll, beforeAll, expect, test } from 'vitest'
import { apply, ensureVictim, NODES, namespace, pod, podOf, ready, remove } from './attacks/kit.ts'
import { layout } from './attacks/layout.ts'
import { gateway } from './attacks/mesh.ts'
import { adjacentHost, bind } from './attacks/node.ts'
import { codesIn, request, type Wire, wire } from './attacks/raw.ts'
import { eventually, kubectl, kubectlOk, lab, labOnly, onNode } from './cluster.ts'

const EVIL = 'attack-node'
const PORTS = [18_081, 18_082] as const

let nodePod = ''
let node: Wire

beforeAll(async () => {
  await Promise.all([ensureVictim(), remove('namespace', [EVIL])])
  await apply(namespace(EVIL, true))
  nodePod = await podOf(NODES, 'registry-node')
  node = await wire(NODES, nodePod, 5000)
})

afterAll(async () => {
  await node?.[Symbol.asyncDispose]()
  await remove('namespace', [EVIL], '--wait=false')
})

async function expectOwnRegistry(): Promise<void> {
  const answer = await node.ask(request('GET', '/v2/'))
  expect(codesIn(answer)).toEqual([200])
  expect(answer).toContain('docker-distribution-api-version: registry/2.0')
}

const onSidecar = layout.nodeProxy === 'sidecar' ? test : () => {}

// Where the nodes have a gateway, such Gateways are not admitted: 46-node-gateway.long.ts.
onSidecar(
  "Gateways of another namespace, by the node proxy's label and with no selector, poison no pull and open no port",
  async () => {
    const [byLabel, byNone] = PORTS
    // The attacker's own gateway pod, which both select too, shows when they are in force.
    const control = pod(EVIL, 'control', {
      labels: { app: 'registry-node', 'sidecar.istio.io/inject': 'true' },
      container: { name: 'istio-proxy', image: 'auto', command: undefined },
    })
    const annotated = {
      ...control,
      metadata: {
        ...(control as { metadata: object }).metadata,
        annotations: { 'inject.istio.io/templates': 'gateway' },
      },
    }
    await apply(
      annotated,
      ...gateway(EVIL, 'by-label', { app: 'registry-node' }, byLabel),
      ...gateway(EVIL, 'by-none', {}, byNone),
    )
    await ready(EVIL, 'control')
    for (const port of PORTS) {
      await using own = await wire(EVIL, 'control', port)
      await eventually(async () => expect(await own.ask(request('GET', '/v2/'))).toContain('poisoned'), {
        timeout: 20_000,
      })
    }
    for (let round = 0; round < 3; round++) await expectOwnRegistry()
    for (const port of PORTS) {
      await using there = await wire(NODES, nodePod, port)
      expect(await there.ask(request('GET', '/v2/'))).toBe('')
    }
    for (const { name } of lab?.nodes ?? []) {
      expect((await onNode(name, ['ss', '-Hlnt']))?.stdout).not.toMatch(/:1808[12]\b/)
    }
  },
)

const claims: Readonly<Record<string, (node: string) => object>> = {
  'a hostPort': () => ({ container: { ports: [{ containerPort: 80, hostPort: 5000 }] } }),
  'a hostPort on loopback': () => ({
    container: { ports: [{ containerPort: 80, hostPort: 5000, hostIP: '127.0.0.1' }] },
  }),
  'a hostPort by nodeName': (nodeName) => ({
    spec: { nodeName },
    container: { ports: [{ containerPort: 80, hostPort: 5000, hostIP: '127.0.0.1' }] },
  }),
  'hostNetwork and the port': () => ({ spec: { hostNetwork: true }, container: { ports: [{ containerPort: 5000 }] } }),
  'hostNetwork by nodeName': (nodeName) => ({
    spec: { hostNetwork: true, nodeName },
    container: { ports: [{ containerPort: 5000 }] },
  }),
  'a hostPort of an init container': () => ({
    spec: {
      initContainers: [
        { name: 'first', image: 'a', restartPolicy: 'Always', ports: [{ containerPort: 80, hostPort: 5000 }] },
      ],
    },
  }),
  'a hostPort over UDP': () => ({
    container: { ports: [{ containerPort: 80, hostPort: 5000, protocol: 'UDP' }] },
  }),
}

test.for(Object.entries(claims))('%s 5000 of a pod is refused by admission', async ([, claim]) => {
  const nodeName = await kubectlOk(['get', 'pod', '-n', NODES, nodePod, '-o', 'jsonpath={.spec.nodeName}'])
  for (const where of [EVIL, 'kube-system']) {
    const made = await kubectl(['create', '-f', '-'], {
      input: JSON.stringify(pod(where, 'attack-claim', claim(nodeName))),
    })
    if (made.exitCode === 0) await remove('pod', ['attack-claim'], '-n', where, '--wait=false')
    expect(made.exitCode).not.toBe(0)
    expect(made.stderr).toMatch(/host port 5000 belongs to the registry's node proxy/)
  }
})

labOnly("a process on a node cannot share the proxy's port, not with its uid and SO_REUSEPORT either", async () => {
  for (const { name } of lab?.nodes ?? []) {
    for (const address of ['127.0.0.1', '::1', '0.0.0.0', '::']) {
      for (const uid of [1337, 65_532])
        expect(await bind(name, address, 5000, uid), `${address} uid ${uid}`).toBe('EADDRINUSE')
    }
    expect(await bind(name, '127.0.0.1', 5999, 1337)).toBe('bound')
  }
})

labOnly(
  'a neighbour of the node that routes 127.0.0.1 to it gets nothing, even past the firewall of kube-proxy',
  async () => {
    await using neighbour = await adjacentHost('node1')
    // The kubelet's health port on the same loopback answers, so the packets do arrive.
    expect(await neighbour.get('http://127.0.0.1:10248/healthz')).toBe('200')
    expect(await neighbour.get('http://127.0.0.1:5000/v2/')).toBe('000')
    expect(await neighbour.get('http://172.30.0.11:5000/v2/', 'Host: localhost:5000')).toBe('000')
    await expectOwnRegistry()
  },
)
