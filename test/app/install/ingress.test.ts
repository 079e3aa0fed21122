import { describe, expect, test } from 'vitest'
import { grantDeveloper } from '../../../src/app/grant/developer.ts'
import { status } from '../../../src/app/inspect/status.ts'
import { uninstall } from '../../../src/app/install/uninstall.ts'
import type { KubeObject } from '../../../src/domain/kube-object.ts'
import type { GivenSettings } from '../../../src/domain/settings.ts'
import {
  type FakeCluster,
  fakeCluster,
  forget,
  installedCluster,
  namespace,
  pod,
  ROOTS,
  up,
} from '../../fakes/cluster.ts'
import { failure } from '../failure.ts'

const INGRESS = 'kube-registry-ingress'
const SERVICE = { apiVersion: 'v1', kind: 'Service', namespace: INGRESS, name: 'registry-ingress' }

/** Nodes with addresses, the second one outside of the cluster's own network too. */
function withAddresses(cluster: FakeCluster): FakeCluster {
  const addresses = [
    [{ type: 'InternalIP', address: '10.0.0.1' }],
    [
      { type: 'InternalIP', address: '10.0.0.2' },
      { type: 'ExternalIP', address: '2001:db8::2' },
    ],
  ]
  for (const [index, list] of addresses.entries())
    cluster.store.put({
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name: `node${index + 1}`, creationTimestamp: `2026-01-0${index + 1}T00:00:00Z` },
      status: { addresses: list },
    })
  return cluster
}

type Given = { readonly nodePort?: number; readonly ingress?: readonly object[] }

/** Fills in what the cluster's own controllers would, now and whenever it is written. */
function serviceBecomes({ store }: FakeCluster, { nodePort, ingress = [] }: Given): void {
  const fill = () => {
    const service = store.read(SERVICE)
    if (service === undefined) return
    const spec = service.spec as { readonly ports: readonly object[] }
    const ports = nodePort === undefined ? spec.ports : spec.ports.map((port) => ({ ...port, nodePort }))
    store.put({ ...service, spec: { ...spec, ports }, status: { loadBalancer: { ingress } } })
  }
  store.watchers.push(({ kind, metadata }) => {
    if (kind === SERVICE.kind && metadata.name === SERVICE.name) fill()
    if (kind === SERVICE.kind && metadata.name === 'kube-registry-developers') nodePortOfRegistry(store)
  })
  fill()
}

/** As the API server gives one to a Service of that type. */
function nodePortOfRegistry(store: FakeCluster['store']): void {
  const service = store.read({ ...SERVICE, namespace: 'kube-registry', name: 'kube-registry-developers' })
  const spec = service?.spec as { readonly type: string; readonly ports: readonly object[] } | undefined
  if (service === undefined || spec?.type !== 'NodePort') return
  store.put({ ...service, spec: { ...spec, ports: spec.ports.map((port) => ({ ...port, nodePort: 31_443 })) } })
}

const published = ({ store }: FakeCluster) => {
  const found = store.read({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    namespace: 'kube-registry',
    name: 'developer-access',
  })
  return (found?.data as Record<string, string> | undefined) ?? {}
}

const gateway = (name: string, selector?: Record<string, string>): KubeObject => ({
  apiVersion: 'networking.istio.io/v1',
  kind: 'Gateway',
  metadata: { namespace: 'default', name },
  spec: { servers: [], ...(selector === undefined ? {} : { selector }) },
})

const problems = async ({ ports }: FakeCluster) =>
  (await status(ports, 'kube-registry')).problems.map(({ what }) => what)

describe('developers are told', () => {
  test.each<[string, GivenSettings, Given, string]>([
    [
      'the load balancers',
      {},
      { ingress: [{ ip: '192.0.2.1' }, { hostname: 'lb.example' }], nodePort: 30_001 },
      '192.0.2.1:15443\nlb.example:15443\n',
    ],
    ['the nodes, where no load balancer comes', {}, { nodePort: 30_001 }, '10.0.0.1:30001\n[2001:db8::2]:30001\n'],
    ['the nodes', { developerIngressType: 'NodePort' }, { nodePort: 30_001 }, '10.0.0.1:30001\n[2001:db8::2]:30001\n'],
    ['the node it runs on', { developerIngressType: 'HostPort' }, {}, '10.0.0.1:15443\n'],
    ['no address', { developerIngressType: 'ClusterIP' }, {}, ''],
  ])('%s', async (_, given, service, addresses) => {
    const cluster = withAddresses(fakeCluster())
    serviceBecomes(cluster, service)
    await up(cluster, { developerIngress: true, ...given })
    // The registry's proxy has a port of the nodes where the gateway has nothing else.
    const nodes = given.developerIngressType === 'NodePort'
    expect(published(cluster)).toEqual({
      addresses,
      registryAddresses: nodes ? addresses.replaceAll('30001', '31443') : '',
      authority: 'istiod.istio-system.svc',
      clusterDomain: 'cluster.local',
      port: '5000',
      'root-cert.pem': ROOTS,
      trustDomain: 'cluster.local',
    })
    expect(await problems(cluster)).toEqual([])
  })

  test('of what is no longer so by status, which up mends', async () => {
    const cluster = withAddresses(fakeCluster())
    await up(cluster, { developerIngress: true, developerIngressType: 'NodePort' })
    serviceBecomes(cluster, { nodePort: 30_002 })
    expect(await problems(cluster)).toEqual(['developers are told what is no longer so of their gateway'])
    await up(cluster)
    expect(published(cluster).addresses).toContain(':30002')
    expect(await problems(cluster)).toEqual([])
  })
})

const INSTALLED = { developerIngress: true, developerIngressType: 'ClusterIP' } as const

test('where nobody is told, status says where it is', async () => {
  const cluster = withAddresses(await installedCluster({ developerIngress: true, developerIngressType: 'HostPort' }))
  const ref = { apiVersion: 'v1', kind: 'ConfigMap', namespace: 'kube-registry', name: 'developer-access' }
  cluster.store.remove(ref)
  const state = await status(cluster.ports, 'kube-registry')
  expect(state.developerIngress?.addresses).toEqual(['10.0.0.1:15443'])
  expect(state.problems.map(({ what }) => what)).toEqual(['developers are told what is no longer so of their gateway'])
})

describe('the way in', () => {
  test('is refused while a Gateway of somebody else attaches, before anything is written', async () => {
    const cluster = fakeCluster()
    cluster.store.put(gateway('rogue', { app: 'registry-ingress' }))
    cluster.store.put(gateway('all'))
    forget(cluster)
    await expect(up(cluster, INSTALLED)).rejects.toEqual(
      failure('GATEWAY_ATTACHES', 4, 'Gateway default/all, Gateway default/rogue would attach'),
    )
    expect(cluster.kube.writes).toEqual([])
  })

  test('by a port of its node is refused where another pod has that port', async () => {
    const cluster = fakeCluster()
    const containers = [{ name: 'web', image: 'web', ports: [{ containerPort: 80, hostPort: 15_443 }] }]
    cluster.store.put(pod('default', 'web', { spec: { containers } }))
    await expect(up(cluster, { developerIngress: true, developerIngressType: 'HostPort' })).rejects.toEqual(
      failure('PORT_CLAIMED', 4, 'host port 15443 is claimed by pod default/web'),
    )
    await up(cluster, INSTALLED)
  })

  test('warns of those whose next change will be refused, and where nobody asks a Gateway', async () => {
    const cluster = fakeCluster()
    cluster.kube.without = ['ValidatingAdmissionPolicy', 'ValidatingAdmissionPolicyBinding']
    cluster.store.put(gateway('odd', { team: 'a' }))
    cluster.store.put(gateway('fine', { istio: 'ingressgateway' }))
    await up(cluster, INSTALLED)
    expect(cluster.report.warnings).toEqual([
      expect.stringContaining('any pod may ask for host port'),
      expect.stringMatching(/^Gateway default\/odd: the next change will be refused/),
      expect.stringContaining('whoever may make a Gateway anywhere can open any Service'),
    ])
  })

  test.each<[string, readonly string[], string]>([
    ['opens more', ['*.local'], 'it passes *.local on as well'],
    ['opens nothing yet', [], 'it does not pass istiod.istio-system.svc'],
  ])('is not done while the gateway %s, and status tells', async (_, more, said) => {
    const cluster = fakeCluster()
    cluster.mesh.passes = more.length === 0 ? [] : [...cluster.mesh.passes, ...more]
    await expect(up(cluster, INSTALLED)).rejects.toEqual(failure('GATEWAY_NOT_PROVEN', 5, said))
    expect(await problems(cluster)).toEqual([expect.stringContaining(said)])
  })

  test('status tells a gateway that refused an update, and one that is not ready', async () => {
    const cluster = await installedCluster(INSTALLED)
    const [gateway] = cluster.store.list({ apiVersion: 'v1', kind: 'Pod' }, { namespace: INGRESS })
    cluster.mesh.rejected.set(gateway?.metadata.name ?? '', [{ listener: '0.0.0.0_15443', details: 'no' }])
    expect(await problems(cluster)).toEqual([
      expect.stringContaining('it refused an update of listener 0.0.0.0_15443: no'),
    ])
    cluster.store.remove({ apiVersion: 'apps/v1', kind: 'Deployment', namespace: INGRESS, name: 'registry-ingress' })
    cluster.store.remove({ apiVersion: 'v1', kind: 'Pod', namespace: INGRESS, name: gateway?.metadata.name ?? '' })
    expect(await problems(cluster)).toEqual([
      "the developers' gateway has no ready pod",
      "the developers' gateway is not installed",
    ])
  })

  test('tells when Istio has moved on, and up makes the gateway anew', async () => {
    const cluster = await installedCluster(INSTALLED)
    cluster.mesh.image = 'docker.io/istio/proxyv2:1.31.1'
    const said = expect.stringContaining("the developers' gateway was made with docker.io/istio/proxyv2:1.31.0")
    expect(await problems(cluster)).toContainEqual(said)
    await up(cluster)
    expect(await problems(cluster)).toEqual([])
  })

  test('closes with all that belongs to it, names whose grants need it, and opens again with them', async () => {
    const cluster = await installedCluster(INSTALLED)
    cluster.store.put(namespace('team'))
    const wanted = { namespace: 'team', repository: 'app', exact: false, readOnly: false, developer: 'user:ada' }
    await grantDeveloper(cluster.ports, 'kube-registry', wanted, { forward: false, timeoutMs: 30_000 })
    forget(cluster)
    const { removed } = await up(cluster, { developerIngress: null, developerIngressType: null })
    expect(removed.at(-1)).toMatch(/^ValidatingAdmissionPolicy/)
    expect(removed).toContain(`Namespace ${INGRESS}`)
    expect(cluster.report.warnings).toEqual([expect.stringContaining('grants of user:ada lead nowhere')])
    expect([published(cluster), await problems(cluster)]).toEqual([{}, []])
    await up(cluster, INSTALLED)
    expect(await problems(cluster)).toEqual([])
  })

  test('goes by down, with what developers were given', async () => {
    const cluster = await installedCluster(INSTALLED)
    cluster.store.put(namespace('team'))
    const wanted = { namespace: 'team', repository: 'app', exact: false, readOnly: false, developer: 'user:ada' }
    await grantDeveloper(cluster.ports, 'kube-registry', wanted, { forward: true, timeoutMs: 30_000 })
    await uninstall(cluster.ports, 'kube-registry', { deleteData: true, timeoutMs: 30_000 })
    const left = ['Namespace', 'ServiceAccount'].flatMap((kind) => cluster.store.list({ apiVersion: 'v1', kind }))
    expect(left.map(({ metadata }) => metadata.name)).toEqual(['default', 'istio-system', 'kube-system', 'team'])
    for (const kind of ['Role', 'RoleBinding'])
      expect(cluster.store.list({ apiVersion: 'rbac.authorization.k8s.io/v1', kind })).toEqual([])
  })
})
