import { describe, expect, test } from 'vitest'
import { status } from '../../../src/app/inspect/status.ts'
import type { KubeObject } from '../../../src/domain/kube-object.ts'
import { clusterError } from '../../../src/errors.ts'
import { loadSchema, violations } from '../../contracts/schema.ts'
import { type FakeCluster, fakeCluster, installedCluster, up } from '../../fakes/cluster.ts'
import { ready, type Start, starting } from '../../fakes/workloads.ts'
import { failure } from '../failure.ts'
import { grantIn } from '../grant/granted.ts'

const look = ({ ports }: FakeCluster) => status(ports, 'kube-registry')
const problems = async (cluster: FakeCluster) => (await look(cluster)).problems
const texts = async (cluster: FakeCluster) => (await problems(cluster)).map(({ what }) => what)

const proxyOf = ({ store }: FakeCluster, node: string) =>
  store
    .list({ apiVersion: 'v1', kind: 'Pod' }, { namespace: 'kube-registry-node' })
    .find(({ spec }) => (spec as { nodeName: string }).nodeName === node)?.metadata.name ?? ''

function restart(cluster: FakeCluster, start: Start): void {
  cluster.workloads.start = start
  cluster.workloads.again()
}

test('all is told, and nothing is wrong or written', async () => {
  const cluster = await installedCluster({ size: '1Gi', image: 'example.org/registry:3' })
  await grantIn(cluster, 'ci', 'team')
  const seen = await look(cluster)
  const digest = `sha256:${'0'.repeat(64)}`
  const image = 'docker.io/istio/proxyv2:1.31.0'
  expect(seen).toEqual({
    namespace: 'kube-registry',
    port: 5000,
    registry: [
      {
        pod: expect.stringMatching(/^kube-registry-\d+$/),
        node: 'node1',
        ready: true,
        image: 'example.org/registry:3',
        imageId: `example.org/registry:3@${digest}`,
      },
    ],
    nodeProxy: 'sidecar',
    nodes: ['node1', 'node2'].map((node) => ({
      node,
      proxy: { pod: proxyOf(cluster, node), node, ready: true, image, imageId: `${image}@${digest}` },
    })),
    developerIngress: null,
    openPorts: [],
    exposures: [],
    external: [],
    grants: [{ namespace: 'ci', repository: 'team', exact: false, readOnly: false }],
    tenants: [],
    accepted: [],
    storage: { kind: 'pvc', usedBytes: 2 ** 21, size: '1Gi', phase: 'Bound' },
    versions: { kubernetes: 'v1.36.0', proxy: image },
    problems: [],
  })
  expect(violations(loadSchema('status') ?? {}, JSON.parse(JSON.stringify(seen)))).toEqual([])
  expect(cluster.kube.writes).toEqual([])
})

test('without an installation there is no status', async () => {
  await expect(look(fakeCluster())).rejects.toEqual(failure('NOT_INSTALLED', 3))
})

describe('a node', () => {
  test('whose proxy is not ready cannot pull', async () => {
    const cluster = await installedCluster()
    restart(cluster, (pod) => (pod.node === 'node2' && pod.namespace.endsWith('-node') ? starting(pod) : ready(pod)))
    const { nodes, problems } = await look(cluster)
    expect(nodes.map(({ proxy }) => proxy?.ready)).toEqual([true, false])
    expect(problems.map(({ what }) => what)).toEqual([
      `pod kube-registry-node/${proxyOf(cluster, 'node2')}: container istio-proxy waits: ContainerCreating`,
      'node node2 has no ready proxy, so it cannot pull',
    ])
  })

  test('without a proxy is named', async () => {
    const cluster = await installedCluster()
    cluster.store.put({ apiVersion: 'v1', kind: 'Node', metadata: { name: 'node3' } })
    const { nodes, problems } = await look(cluster)
    expect(nodes[2]).toEqual({ node: 'node3', proxy: null })
    expect(problems).toEqual([
      {
        what: 'node node3 has no ready proxy, so it cannot pull',
        fix: 'kubectl get pods -n kube-registry-node -o wide',
      },
    ])
  })

  test.each<[string, string, string]>([
    [
      'whose port a process holds',
      "cannot bind '127.0.0.1:5000': Address already in use",
      'end the process on node node2 that holds the port, then: kubectl delete pod -n kube-registry-node ',
    ],
    ['that refused a filter', 'Proto constraint validation failed', 'regctl up'],
  ])('%s, ready or not', async (_, details, fix) => {
    const cluster = await installedCluster()
    cluster.mesh.rejected.set(proxyOf(cluster, 'node2'), [{ listener: '127.0.0.1_5000', details }])
    const expected = {
      what: `the proxy of node node2 refused an update of listener 127.0.0.1_5000: ${details}`,
      fix: expect.stringMatching(new RegExp(`^${fix}`)),
    }
    expect(await problems(cluster)).toEqual([expected])
    restart(cluster, (pod) => (pod.node === 'node2' ? starting(pod) : ready(pod)))
    expect(await problems(cluster)).toContainEqual(expected)
  })

  test('without IPv6 is fine', async () => {
    const cluster = await installedCluster()
    const details = 'malformed IP address: ::1'
    cluster.mesh.rejected.set(proxyOf(cluster, 'node1'), [{ listener: 'registry_ipv6_5000', details }])
    expect(await problems(cluster)).toEqual([])
  })

  test('whose proxy does not answer is a problem only while it is ready', async () => {
    const cluster = await installedCluster()
    const silent = `kube-registry-node/${proxyOf(cluster, 'node2')}`
    cluster.pods.script(({ pod }) => (pod === silent ? 503 : undefined))
    expect(await texts(cluster)).toEqual([
      `the proxy of pod ${silent} did not answer "config_dump?resource=dynamic_listeners": status 503`,
    ])
    restart(cluster, (pod) => (pod.node === 'node2' ? starting(pod) : ready(pod)))
    expect((await texts(cluster)).filter((what) => what.includes('did not answer'))).toEqual([])
  })
})

describe('the registry', () => {
  test('that is not ready is told with the reason, and its storage is not asked', async () => {
    const cluster = await installedCluster()
    restart(cluster, (pod) => (pod.namespace === 'kube-registry' ? starting(pod) : ready(pod)))
    const { registry, storage, problems } = await look(cluster)
    expect([registry[0]?.ready, storage]).toEqual([false, { kind: 'pvc', size: '20Gi', phase: 'Bound' }])
    expect(problems.map(({ what }) => what)).toEqual([
      expect.stringMatching(/^pod kube-registry\/kube-registry-\d+: container registry waits/),
      'no registry pod is ready',
    ])
  })

  test('that was removed is to be installed again', async () => {
    const cluster = await installedCluster()
    cluster.store.remove({
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      namespace: 'kube-registry',
      name: 'kube-registry',
    })
    expect(await problems(cluster)).toEqual([
      { what: 'no registry pod is ready', fix: 'regctl up' },
      { what: 'the registry is not installed', fix: 'regctl up' },
    ])
  })

  test('whose policies are not in force, or whose configuration was refused', async () => {
    const cluster = await installedCluster()
    await grantIn(cluster, 'ci', 'team')
    cluster.store.remove({
      apiVersion: 'security.istio.io/v1',
      kind: 'AuthorizationPolicy',
      namespace: 'kube-registry',
      name: 'fence',
    })
    cluster.store.put({
      apiVersion: 'security.istio.io/v1',
      kind: 'AuthorizationPolicy',
      metadata: { name: 'open', namespace: 'istio-system' },
      spec: { action: 'ALLOW', rules: [{ to: [{ operation: { ports: ['5000'] } }] }] },
    })
    expect(await texts(cluster)).toEqual([expect.stringContaining('nodes never write, but PUT')])
  })
})

describe('the node proxy', () => {
  test('of an Istio that has moved on is to be made again', async () => {
    const cluster = await installedCluster()
    cluster.mesh.image = 'docker.io/istio/proxyv2:1.31.1'
    expect(await problems(cluster)).toEqual([
      {
        what: 'Istio has moved on: it injects docker.io/istio/proxyv2:1.31.1, the node proxy runs docker.io/istio/proxyv2:1.31.0',
        fix: 'regctl up',
      },
    ])
  })

  test('that was removed, its namespace and all, is to be installed again', async () => {
    const cluster = await installedCluster()
    cluster.store.remove({ apiVersion: 'v1', kind: 'Namespace', name: 'kube-registry-node' })
    const { versions, nodes, problems } = await look(cluster)
    expect([versions.proxy, nodes.map(({ proxy }) => proxy)]).toEqual(['none', [null, null]])
    expect(problems.map(({ what }) => what)).toEqual([
      'node node1 has no ready proxy, so it cannot pull',
      'node node2 has no ready proxy, so it cannot pull',
      'the node proxy is not installed',
    ])
  })
})

describe('an istiod that does not answer', () => {
  test('is one problem beside the others', async () => {
    const cluster = await installedCluster()
    cluster.store.put({ apiVersion: 'v1', kind: 'Node', metadata: { name: 'node3' } })
    cluster.kube.turn = ({ verb }) => {
      if (verb === 'create') throw clusterError('CLUSTER_REFUSED', 'cannot create it: failed calling webhook')
    }
    expect(await problems(cluster)).toEqual([
      { what: 'cannot create it: failed calling webhook', fix: 'regctl doctor' },
      { what: 'node node3 has no ready proxy, so it cannot pull', fix: expect.any(String) },
    ])
    cluster.kube.turn = () => {}
    cluster.mesh.injects = false
    expect((await problems(cluster))[0]).toMatchObject({ fix: 'regctl up --revision default' })
  })

  test('a bug is not taken for that', async () => {
    const cluster = await installedCluster()
    cluster.kube.turn = ({ verb }) => {
      if (verb === 'create') throw new TypeError('bug')
    }
    await expect(look(cluster)).rejects.toThrow(TypeError)
  })
})

test('several pods of the registry are all told', async () => {
  const cluster = await installedCluster()
  const [pod] = cluster.store.list({ apiVersion: 'v1', kind: 'Pod' }, { namespace: 'kube-registry' })
  const { ownerReferences: _, ...metadata } = (pod as KubeObject).metadata
  cluster.store.put({ ...(pod as KubeObject), metadata: { ...metadata, name: 'second' }, status: {} })
  cluster.mesh.chains.push([])
  const { registry, problems } = await look(cluster)
  expect(registry.map(({ ready, imageId }) => [ready, imageId === ''])).toEqual([
    [true, false],
    [false, true],
  ])
  expect(problems.map(({ what }) => what)).toContainEqual(expect.stringContaining('nodes never write, but PUT'))
})

describe('a namespace that was deleted with its grants', () => {
  const everybody: KubeObject = {
    apiVersion: 'security.istio.io/v1',
    kind: 'AuthorizationPolicy',
    metadata: { name: 'everybody', namespace: 'istio-system' },
    spec: { action: 'ALLOW', rules: [{ to: [{ operation: { ports: ['5000'] } }] }] },
  }

  test('is nothing to be told, unless somebody allows everybody in: the fence knows its name still', async () => {
    const cluster = await installedCluster()
    await grantIn(cluster, 'ci', 'team')
    cluster.store.remove({ apiVersion: 'v1', kind: 'Namespace', name: 'ci' })
    expect(await problems(cluster)).toEqual([])
    cluster.store.put(everybody)
    expect(await texts(cluster)).toEqual([
      expect.stringMatching(/the grants of ci are gone with it.* PUT .* is allowed/),
    ])
    await up(cluster)
    expect(await problems(cluster)).toEqual([])
  })
})
