import { describe, expect, test } from 'vitest'
import { doctor } from '../../../src/app/inspect/doctor.ts'
import { status } from '../../../src/app/inspect/status.ts'
import type { KubeObject } from '../../../src/domain/kube-object.ts'
import { type FakeCluster, fakeCluster, forget, installedCluster, up } from '../../fakes/cluster.ts'
import { ready, starting } from '../../fakes/workloads.ts'
import { failure } from '../failure.ts'

const NODES = 'kube-registry-node'
const GATEWAY = { nodeProxy: 'gateway' } as const

const theirs = (name: string, selector?: Record<string, string>): KubeObject => ({
  apiVersion: 'networking.istio.io/v1',
  kind: 'Gateway',
  metadata: { namespace: 'default', name },
  spec: { servers: [{ port: { number: 9080 } }], ...(selector === undefined ? {} : { selector }) },
})

const look = ({ ports }: FakeCluster) => status(ports, 'kube-registry')
const problems = async (cluster: FakeCluster) => (await look(cluster)).problems.map(({ what }) => what)

const TYPES = [
  ['networking.istio.io/v1', ['Gateway', 'VirtualService', 'WorkloadEntry', 'Sidecar', 'DestinationRule']],
  ['networking.istio.io/v1alpha3', ['EnvoyFilter']],
  ['security.istio.io/v1', ['AuthorizationPolicy']],
  ['telemetry.istio.io/v1', ['Telemetry']],
  ['admissionregistration.k8s.io/v1', ['ValidatingAdmissionPolicy', 'ValidatingAdmissionPolicyBinding']],
] as const

/** What stands around the node proxies. */
const around = ({ store }: FakeCluster): readonly string[] =>
  TYPES.flatMap(([apiVersion, kinds]) => kinds.flatMap((kind) => store.list({ apiVersion, kind })))
    .filter(({ metadata }) => metadata.namespace === NODES || metadata.name.startsWith('regctl-node-gateways'))
    .map(({ kind, metadata }) => `${kind} ${metadata.name}`)

const SIDECAR = ['Sidecar registry-node', 'EnvoyFilter node-listener']
const AS_GATEWAY = [
  'Gateway registry-node',
  'VirtualService registry-node',
  'WorkloadEntry registry-node',
  'DestinationRule registry-node',
  'EnvoyFilter node-gateway-listener',
  'AuthorizationPolicy node-fence',
  'AuthorizationPolicy node-pulls',
  'Telemetry registry-node',
  'ValidatingAdmissionPolicy regctl-node-gateways-kube-registry',
  'ValidatingAdmissionPolicyBinding regctl-node-gateways-kube-registry',
]

const kept = ({ store }: FakeCluster): unknown => {
  const state = store.read({ apiVersion: 'v1', kind: 'ConfigMap', namespace: 'kube-registry', name: 'regctl' })
  return JSON.parse((state?.data as Record<string, string> | undefined)?.['settings.json'] ?? '')
}

describe('the node proxy', () => {
  test('turns into a gateway and back, and leaves nothing of the other', async () => {
    const cluster = await installedCluster()
    expect(around(cluster)).toEqual(SIDECAR)
    await up(cluster, GATEWAY)
    expect(around(cluster)).toEqual(AS_GATEWAY)
    expect(kept(cluster)).toMatchObject(GATEWAY)
    expect(await look(cluster)).toMatchObject({ nodeProxy: 'gateway', problems: [] })
    expect(await up(cluster)).toMatchObject({ changed: [], removed: [] })
    await up(cluster, { nodeProxy: null })
    expect(around(cluster)).toEqual(SIDECAR)
    expect(kept(cluster)).not.toHaveProperty('nodeProxy')
    expect(await look(cluster)).toMatchObject({ nodeProxy: 'sidecar', problems: [] })
  })

  test('keeps what the old one needs until the new one is proven', async () => {
    const cluster = await installedCluster()
    await up(cluster, GATEWAY)
    const { writes } = cluster.kube
    const rolled = writes.indexOf(`apply DaemonSet ${NODES}/registry-node`)
    const removed = writes.filter((write) => write.startsWith('remove ') || write.startsWith('delete '))
    expect(removed).toHaveLength(SIDECAR.length)
    for (const write of removed) expect(writes.indexOf(write)).toBeGreaterThan(rolled)
    for (const name of AS_GATEWAY)
      expect(
        writes.findIndex(
          (write) => write.includes(name.split(' ')[1] ?? '') && write.includes(name.split(' ')[0] ?? ''),
        ),
      ).toBeLessThan(rolled)
    expect(cluster.report.steps).toContain("Prove the nodes' gateways")
  })

  test('that did not turn with the settings is told', async () => {
    const cluster = await installedCluster()
    const asSidecar = cluster.store.read({
      apiVersion: 'apps/v1',
      kind: 'DaemonSet',
      namespace: NODES,
      name: 'registry-node',
    })
    await up(cluster, GATEWAY)
    cluster.store.put(asSidecar as KubeObject)
    expect(await problems(cluster)).toContain('the node proxy is to be a gateway and is a sidecar still')
  })
})

describe('a gateway on the nodes', () => {
  test('is refused while a Gateway of somebody else attaches, before anything is written', async () => {
    const cluster = await installedCluster()
    cluster.store.put(theirs('rogue', { app: 'registry-node' }))
    cluster.store.put(theirs('all'))
    forget(cluster)
    await expect(up(cluster, GATEWAY)).rejects.toEqual(
      failure('GATEWAY_ATTACHES', 4, "Gateway default/all, Gateway default/rogue would attach to the nodes' gateways"),
    )
    expect(cluster.kube.writes).toEqual([])
  })

  test('is refused where nobody can keep Gateways away', async () => {
    const cluster = await installedCluster()
    cluster.kube.without = ['ValidatingAdmissionPolicy']
    forget(cluster)
    await expect(up(cluster, GATEWAY)).rejects.toEqual(failure('NO_ADMISSION_POLICY', 3))
    expect(cluster.kube.writes).toEqual([])
  })

  test('is told of by status where a Gateway got by', async () => {
    const cluster = await installedCluster(GATEWAY)
    cluster.store.put(theirs('rogue', { app: 'registry-node' }))
    expect(await problems(cluster)).toEqual([
      "Gateway default/rogue attaches to the nodes' gateways and can answer their pulls",
      ...['node1', 'node2'].flatMap((node) => [
        `the gateway of node ${node}: it listens on 0.0.0.0 port 9080`,
        `the gateway of node ${node}: 1 of its routes lead elsewhere: an answer of its own`,
      ]),
    ])
  })
})

test('doctor finds nothing wrong with a gateway on the nodes, and the Gateway that would attach', async () => {
  const cluster = await installedCluster(GATEWAY)
  const wrong = async () =>
    (await doctor(cluster.ports, 'kube-registry')).filter(({ level }) => level === 'problem').map(({ what }) => what)
  expect(await wrong()).toEqual([])
  cluster.store.put(theirs('all'))
  expect(await wrong()).toContainEqual(
    expect.stringContaining("Gateway default/all would attach to the nodes' gateways"),
  )
})

describe('a turn that fails', () => {
  const asBefore = (cluster: FakeCluster) => {
    expect(around(cluster)).toEqual(SIDECAR)
    expect(kept(cluster)).not.toHaveProperty('nodeProxy')
  }

  test('goes back, with Envoy’s own words', async () => {
    const cluster = await installedCluster()
    const { store, workloads, mesh } = cluster
    const isGateway = () =>
      JSON.stringify(store.list({ apiVersion: 'apps/v1', kind: 'DaemonSet' })).includes('"router"')
    workloads.start = ({ namespace, node }) =>
      namespace === NODES && isGateway() ? starting({ namespace, node }) : ready({ namespace, node })
    store.watchers.push(({ kind, metadata: { name } }) => {
      if (kind === 'Pod') mesh.rejected.set(name, [{ listener: '127.0.0.1_5000', details: 'no such filter' }])
    })
    const failed = up(cluster, GATEWAY)
    await expect(failed).rejects.toEqual(
      failure('NOT_SWITCHED', 5, 'node node1 refused listener 127.0.0.1_5000: no such filter'),
    )
    await expect(failed).rejects.toThrow(
      /the node proxy did not become a gateway: .*every node has its sidecar again$/s,
    )
    // Not after the minute that was given, for one node pulls nothing all the while.
    expect(cluster.clock.now() - 1_000_000).toBeLessThan(20_000)
    asBefore(cluster)
    mesh.rejected.clear()
    expect(await look(cluster)).toMatchObject({ nodeProxy: 'sidecar', problems: [] })
    expect(await up(cluster)).toMatchObject({ changed: [], removed: [] })
  })

  test('for a Gateway that came while the rule was not yet heeded goes back', async () => {
    const cluster = await installedCluster()
    cluster.store.watchers.push(({ kind }) => {
      const rogue = theirs('rogue', { app: 'registry-node' })
      if (kind === 'Telemetry' && cluster.store.read({ ...rogue, namespace: 'default', name: 'rogue' }) === undefined)
        cluster.store.put(rogue)
    })
    await expect(up(cluster, GATEWAY)).rejects.toEqual(failure('NOT_SWITCHED', 5, 'it listens on 0.0.0.0 port 9080'))
    asBefore(cluster)
  })

  test('is not one for what another proxy refused', async () => {
    const cluster = await installedCluster()
    const [registry] = cluster.store.list({ apiVersion: 'v1', kind: 'Pod' }, { namespace: 'kube-registry' })
    cluster.mesh.rejected.set(registry?.metadata.name ?? '', [{ listener: 'virtualInbound', details: 'theirs' }])
    await expect(up(cluster, GATEWAY)).rejects.toEqual(failure('FILTER_REJECTED', 5, 'listener virtualInbound: theirs'))
    expect(kept(cluster)).toMatchObject(GATEWAY)
  })

  test('is none where the nodes had nothing before', async () => {
    const cluster = fakeCluster()
    cluster.workloads.start = (pod) => (pod.namespace === NODES ? starting(pod) : ready(pod))
    await expect(up(cluster, GATEWAY)).rejects.toEqual(failure('NOT_READY', 5))
  })

  test('says so when the nodes do not come back either', async () => {
    const cluster = await installedCluster()
    cluster.workloads.start = (pod) => (pod.namespace === NODES ? starting(pod) : ready(pod))
    await expect(up(cluster, GATEWAY)).rejects.toEqual(
      failure('NOT_SWITCHED', 5, 'every node is to have its sidecar again, but node proxy 0/2 ready after 120 s'),
    )
    expect(kept(cluster)).not.toHaveProperty('nodeProxy')
  })
})
