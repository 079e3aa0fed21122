import { describe, expect, test } from 'vitest'
import { needsConsent, planExposure } from '../../../src/app/expose/expose.ts'
import { unexpose } from '../../../src/app/expose/unexpose.ts'
import { grantDeveloper } from '../../../src/app/grant/developer.ts'
import type { KubeObject } from '../../../src/domain/kube-object.ts'
import { type FakeCluster, forget, namespace, pod, up } from '../../fakes/cluster.ts'
import { failure } from '../failure.ts'
import { exposable, exposing, HOME, HOST, problems, secret } from './exposed.ts'

const server = (more: object) => ({
  port: { number: 8443, name: 'https', protocol: 'HTTPS' },
  tls: { mode: 'SIMPLE', credentialName: 'wild' },
  hosts: ['*.example'],
  ...more,
})

const gateway = (servers: readonly object[], selector: object | undefined = { istio: 'shared' }): KubeObject => ({
  apiVersion: 'networking.istio.io/v1',
  kind: 'Gateway',
  metadata: { namespace: 'front', name: 'main' },
  spec: { ...(selector === undefined ? {} : { selector }), servers },
})

const frontPod = (serviceAccountName: string): KubeObject =>
  pod('front', 'shared-0', {
    metadata: { namespace: 'front', name: 'shared-0', labels: { istio: 'shared' } },
    spec: { serviceAccountName, containers: [{ name: 'istio-proxy', image: 'x' }] },
  })

async function withShared(...servers: readonly object[]): Promise<FakeCluster> {
  const cluster = await exposable()
  cluster.store.put(namespace('front'))
  cluster.store.put(gateway(servers.length === 0 ? [server({})] : servers))
  cluster.store.put(frontPod('front'))
  forget(cluster)
  return cluster
}

const NETWORKING = 'networking.istio.io/v1'
const made = ({ store }: FakeCluster, kind: string, namespace = 'kube-registry') =>
  store.list({ apiVersion: NETWORKING, kind }, { namespace })
const asked = { gateway: 'front/main', repositories: ['docs'] }

describe("somebody else's gateway", () => {
  test('serves what is exposed on its port for TLS alone, read by its pods', async () => {
    const cluster = await withShared()
    const { exposure, addresses } = await exposing(cluster, asked)
    expect([exposure.principals, exposure.port, addresses]).toEqual([['cluster.local/ns/front/sa/front'], 8443, []])
    const [route, ...more] = made(cluster, 'VirtualService')
    expect(more).toEqual([])
    expect(route?.spec).toMatchObject({ gateways: ['front/main'], hosts: [HOST], http: [{ match: [{ port: 8443 }] }] })
    expect([made(cluster, 'Gateway'), await problems(cluster)]).toEqual([[], []])
    expect((await up(cluster)).changed).toEqual([])
    expect(cluster.store.list({ apiVersion: 'apps/v1', kind: 'Deployment' }, { namespace: HOME })).toEqual([])
    await unexpose(cluster.ports, 'kube-registry', HOST, { timeoutMs: 30_000 })
    expect([made(cluster, 'VirtualService'), await problems(cluster)]).toEqual([[], []])
  })

  test('gets a server of ours for a certificate beside its pods', async () => {
    const cluster = await withShared(server({ hosts: ['other.test'] }))
    cluster.store.put(secret('front', 'web'))
    await exposing(cluster, { ...asked, tls: 'web' })
    const [own] = made(cluster, 'Gateway')
    expect(own?.spec).toMatchObject({
      selector: { istio: 'shared' },
      servers: [{ port: { number: 443 }, tls: { credentialName: 'web' }, hosts: [`./${HOST}`] }],
    })
    const [route] = made(cluster, 'VirtualService')
    expect(route?.spec).toMatchObject({ gateways: [own?.metadata.name] })
    cluster.store.remove({ apiVersion: 'v1', kind: 'Secret', namespace: 'front', name: 'web' })
    expect(await problems(cluster)).toEqual([`Secret front/web, the certificate of ${HOST}, is gone`])
  })

  test('is agreed to first, and not again where nothing changes', async () => {
    const cluster = await withShared()
    const plan = () => planExposure(cluster.ports, 'kube-registry', { host: HOST, ...asked })
    expect(needsConsent(await plan())).toBe(true)
    await exposing(cluster, asked)
    expect(needsConsent(await plan())).toBe(false)
    expect(needsConsent(await planExposure(cluster.ports, 'kube-registry', { host: HOST, repositories: [] }))).toBe(
      true,
    )
    expect(
      needsConsent(await planExposure(cluster.ports, 'kube-registry', { host: HOST, repositories: [], tls: 'web' })),
    ).toBe(false)
  })

  test('that has other pods by now is told', async () => {
    const cluster = await withShared()
    await exposing(cluster, asked)
    cluster.store.put(frontPod('other'))
    expect(await problems(cluster)).toEqual([
      expect.stringContaining('the pods of Gateway front/main are cluster.local/ns/front/sa/other'),
    ])
    await exposing(cluster, asked)
    expect(await problems(cluster)).toEqual([])
    cluster.store.remove({ apiVersion: NETWORKING, kind: 'Gateway', namespace: 'front', name: 'main' })
    expect(await problems(cluster)).toEqual([`Gateway front/main, by which ${HOST} is exposed, is gone`])
  })

  test.each<[string, string, number, (cluster: FakeCluster) => void, object]>([
    ['that is not there', 'NO_GATEWAY', 3, () => {}, { gateway: 'front/none' }],
    ['of ours', 'OWN_GATEWAY', 4, () => {}, { gateway: `${HOME}/any` }],
    [
      'at an open port of ours',
      'OWN_GATEWAY',
      4,
      ({ store }) =>
        store.put({ ...frontPod('x'), metadata: { ...frontPod('x').metadata, namespace: 'kube-registry-ports-web' } }),
      {},
    ],
    ['without selector', 'GATEWAY_OF_ALL', 4, ({ store }) => store.put(gateway([server({})], {})), {}],
    [
      'without pods',
      'GATEWAY_WITHOUT_PODS',
      3,
      ({ store }) => store.remove({ apiVersion: 'v1', kind: 'Pod', namespace: 'front', name: 'shared-0' }),
      {},
    ],
    ['without TLS', 'NO_TLS_SERVER', 3, ({ store }) => store.put(gateway([{ ...server({}), tls: undefined }])), {}],
    ['for another host', 'NO_TLS_SERVER', 3, ({ store }) => store.put(gateway([server({ hosts: ['*.test'] })])), {}],
    ['for its own namespace', 'NO_TLS_SERVER', 3, ({ store }) => store.put(gateway([server({ hosts: ['./*'] })])), {}],
    ['without the certificate beside it', 'NO_CERTIFICATE', 3, () => {}, { tls: 'web' }],
  ])('%s is refused, and nothing is written', async (_, code, exit, happens, more) => {
    const cluster = await withShared()
    happens(cluster)
    forget(cluster)
    await expect(exposing(cluster, { ...asked, ...more })).rejects.toEqual(failure(code, exit))
    expect(cluster.kube.writes).toEqual([])
  })
})

describe('by the mesh', () => {
  const ports = ({ store }: FakeCluster) => {
    const found = store.read({
      apiVersion: NETWORKING,
      kind: 'Sidecar',
      namespace: 'kube-registry',
      name: 'kube-registry',
    })
    const { ingress } = (found?.spec ?? { ingress: [] }) as { ingress: readonly { port: { number: number } }[] }
    return ingress.map(({ port }) => port.number)
  }
  const developer = { namespace: 'team', repository: 'app', exact: false, readOnly: false, developer: 'user:ada' }

  test('the port for those outside is there as long as somebody has the way to it', async () => {
    const cluster = await exposable()
    cluster.store.put(namespace('team'))
    const give = () => grantDeveloper(cluster.ports, 'kube-registry', developer, { forward: false, timeoutMs: 30_000 })
    await expect(give()).rejects.toEqual(failure('NO_DEVELOPER_INGRESS', 3))
    await exposing(cluster, { tls: 'istio' })
    await exposing(cluster, { host: 'b.example', tls: 'istio' })
    expect(ports(cluster)).toEqual([5000, 5443])
    // One for both, and no DestinationRule, which AUTO_PASSTHROUGH would heed as well.
    const [entry, ...more] = made(cluster, 'ServiceEntry', HOME)
    expect([entry?.spec, more]).toMatchObject([
      {
        hosts: ['registry-expose.kube-registry-expose.internal'],
        exportTo: ['.'],
        location: 'MESH_EXTERNAL',
        endpoints: [{ address: 'kube-registry-developers.kube-registry.svc.cluster.local' }],
      },
      [],
    ])
    expect(made(cluster, 'DestinationRule', HOME)).toEqual([])
    await give()
    expect(await problems(cluster)).toEqual([])
    expect((await up(cluster)).changed).toEqual([])
    await unexpose(cluster.ports, 'kube-registry', 'b.example', { timeoutMs: 30_000 })
    expect([ports(cluster), await problems(cluster)]).toEqual([[5000, 5443], []])
    await unexpose(cluster.ports, 'kube-registry', HOST, { timeoutMs: 30_000 })
    expect([ports(cluster), await problems(cluster)]).toEqual([[5000], []])
    expect(cluster.report.warnings).toContainEqual(expect.stringContaining('grants of user:ada lead nowhere'))
    expect(made(cluster, 'DestinationRule').map(({ metadata }) => metadata.name)).toEqual(['kube-registry'])
    expect(made(cluster, 'ServiceEntry', HOME)).toEqual([])
  })

  test('it stays with the developers, whose gateway leads to it too', async () => {
    const cluster = await exposable({ developerIngress: true, developerIngressType: 'ClusterIP' })
    await exposing(cluster, { tls: 'istio' })
    expect(await problems(cluster)).toEqual([])
    await unexpose(cluster.ports, 'kube-registry', HOST, { timeoutMs: 30_000 })
    expect([ports(cluster), await problems(cluster)]).toEqual([[5000, 5443], []])
    await exposing(cluster, { tls: 'istio' })
    await up(cluster, { developerIngress: null, developerIngressType: null })
    expect([ports(cluster), await problems(cluster)]).toEqual([[5000, 5443], []])
  })

  test('what an earlier version made beside it goes with the next up', async () => {
    const cluster = await exposable()
    await exposing(cluster, { tls: 'istio' })
    const [entry] = made(cluster, 'ServiceEntry', HOME)
    cluster.store.put({ ...(entry as KubeObject), kind: 'DestinationRule', spec: {} })
    expect((await up(cluster)).removed).toEqual(['DestinationRule kube-registry-expose/mesh'])
  })
})
