import { describe, expect, test } from 'vitest'
import { readExposures } from '../../../src/app/expose/exposures.ts'
import { unexpose } from '../../../src/app/expose/unexpose.ts'
import { grant } from '../../../src/app/grant/grant.ts'
import { uninstall } from '../../../src/app/install/uninstall.ts'
import { describeRef, type KubeObject, refOf } from '../../../src/domain/kube-object.ts'
import { fence } from '../../../src/domain/policy/fence.ts'
import { at } from '../../domain/at.ts'
import { NAMELESS, OTHER_KEY } from '../../domain/certificates.ts'
import { type FakeCluster, forget, namespace, pod, up } from '../../fakes/cluster.ts'
import { failure } from '../failure.ts'
import { exposable, exposing, HOME, HOST, problems, secret } from './exposed.ts'

const KINDS = [
  ['v1', 'Namespace'],
  ['v1', 'Service'],
  ['v1', 'ServiceAccount'],
  ['apps/v1', 'Deployment'],
  ['rbac.authorization.k8s.io/v1', 'Role'],
  ['rbac.authorization.k8s.io/v1', 'RoleBinding'],
  ['networking.istio.io/v1', 'Gateway'],
  ['networking.istio.io/v1', 'VirtualService'],
  ['networking.istio.io/v1', 'DestinationRule'],
  ['security.istio.io/v1', 'AuthorizationPolicy'],
  ['admissionregistration.k8s.io/v1', 'ValidatingAdmissionPolicy'],
] as const

const all = ({ store }: FakeCluster): readonly KubeObject[] =>
  KINDS.flatMap(([apiVersion, kind]) => store.list({ apiVersion, kind }))
const names = (cluster: FakeCluster): readonly string[] =>
  all(cluster)
    .map((object) => describeRef(refOf(object)))
    .sort()
const hosts = async ({ kube }: FakeCluster) => (await readExposures(kube, at)).map(({ host }) => host)
const taking = (cluster: FakeCluster, host = HOST) =>
  unexpose(cluster.ports, 'kube-registry', host, { timeoutMs: 30_000 })
const specs = (cluster: FakeCluster) => all(cluster).map(({ kind, metadata, spec }) => [kind, metadata.name, spec])

describe('an exposure', () => {
  test('is made, told, kept by up, the same again, and leaves nothing', async () => {
    const cluster = await exposable()
    const before = specs(cluster)
    const asked = { repositories: ['shop/app', 'docs/*', 'shop/app'], tls: 'web', type: 'NodePort' } as const
    const made = await exposing(cluster, asked)
    expect(made).toMatchObject({ changed: true, provenIn: 1, exposure: { repositories: ['docs/*', 'shop/app'] } })
    expect(await problems(cluster)).toEqual([])
    const now = names(cluster)
    expect(now).toContain(`Deployment ${HOME}/registry-expose`)
    expect(now).toContain('ValidatingAdmissionPolicy regctl-exposing-gateways-kube-registry')
    const { changed, removed } = await up(cluster)
    expect([changed, removed]).toEqual([[], []])
    // What is not said again stays, but for the repositories.
    expect(await exposing(cluster, { repositories: asked.repositories })).toMatchObject({ changed: false })
    const { repositories } = asked
    expect(await exposing(cluster, { repositories, type: 'ClusterIP' })).toMatchObject({ changed: true })
    expect(await exposing(cluster, { repositories, type: 'ClusterIP' })).toMatchObject({ changed: false })
    expect(await exposing(cluster, { repositories, type: 'NodePort' })).toMatchObject({ changed: true })
    const service = cluster.store.read({ apiVersion: 'v1', kind: 'Service', namespace: HOME, name: 'registry-expose' })
    expect(service?.spec).toMatchObject({ type: 'NodePort' })
    expect((await taking(cluster)).unexposed?.host).toBe(HOST)
    expect(cluster.report.warnings.at(-1)).toBe(`Left: Namespace ${HOME}, which holds Secret ${HOME}/web`)
    expect(specs(cluster)).toEqual(before)
    expect(await taking(cluster)).toMatchObject({ unexposed: null, removed: [] })
  })

  test('may be prepared: up leaves the namespace that was made for the certificate', async () => {
    const cluster = await exposable()
    cluster.store.remove(refOf(secret(HOME, 'web')))
    forget(cluster)
    expect((await up(cluster)).removed).toEqual([])
    expect(cluster.report.warnings).toEqual([])
  })

  test('is narrowed by what is given, in its policy and in the fence', async () => {
    const cluster = await exposable()
    await exposing(cluster, { tls: 'web' })
    await exposing(cluster, { repositories: ['docs/*'] })
    const exposures = await readExposures(cluster.kube, at)
    expect(exposures).toMatchObject([{ repositories: ['docs/*'], secret: 'web' }])
    const ref = { apiVersion: 'security.istio.io/v1', kind: 'AuthorizationPolicy', namespace: 'kube-registry' }
    expect(cluster.store.read({ ...ref, name: 'fence' })?.spec).toEqual(fence(at, { grants: [], exposures }).spec)
  })

  test('takes the namespace along when nothing of others is in it, and goes by down', async () => {
    const cluster = await exposable()
    const before = names(cluster).filter((name) => name !== `Namespace ${HOME}`)
    await exposing(cluster, { tls: 'web' })
    cluster.store.remove(refOf(secret(HOME, 'web')))
    expect((await taking(cluster)).removed.at(-1)).toMatch(/^ValidatingAdmissionPolicy/)
    expect(names(cluster)).toEqual(before)
    cluster.store.put(namespace(HOME, { 'regctl.dev/installation': 'kube-registry' }))
    cluster.store.put(secret(HOME, 'web'))
    await exposing(cluster, { tls: 'web' })
    const { foreign } = await uninstall(cluster.ports, 'kube-registry', { deleteData: true, timeoutMs: 30_000 })
    expect(foreign).toEqual([`Secret ${HOME}/web`])
    expect(names(cluster).filter((name) => /expos|kube-registry/.test(name))).toEqual([`Namespace ${HOME}`])
  })

  test('that is not proven is taken back; one that was there stays', async () => {
    const cluster = await exposable()
    const before = specs(cluster)
    cluster.mesh.freeze()
    await expect(exposing(cluster, { tls: 'web' })).rejects.toEqual(
      failure('NOT_PROVEN', 5, 'the exposure was taken back'),
    )
    expect(specs(cluster)).toEqual(before)
    cluster.mesh.thaw()
    await exposing(cluster, { tls: 'web' })
    cluster.mesh.freeze()
    await expect(exposing(cluster, { repositories: ['docs'] })).rejects.toEqual(failure('NOT_PROVEN', 5))
    expect(await readExposures(cluster.kube, at)).toMatchObject([{ repositories: ['docs'] }])
  })

  test.each(Array.from({ length: 16 }, (_, index) => index))(
    'killed before its write %d is whole by another try, and leaves nothing',
    async (fatal) => {
      const cluster = await exposable()
      const before = specs(cluster)
      let writes = 0
      cluster.kube.turn = ({ verb }) => {
        if (!['get', 'list'].includes(verb) && writes++ === fatal) throw new Error('killed')
      }
      await exposing(cluster, { tls: 'web' }).catch(({ message }: Error) => expect(message).toBe('killed'))
      cluster.kube.turn = () => {}
      await exposing(cluster, { tls: 'web' })
      expect(await problems(cluster)).toEqual([])
      writes = 0
      cluster.kube.turn = ({ verb }) => {
        if (!['get', 'list'].includes(verb) && writes++ === fatal) throw new Error('killed')
      }
      await taking(cluster).catch(({ message }: Error) => expect(message).toBe('killed'))
      cluster.kube.turn = () => {}
      await taking(cluster)
      expect(specs(cluster)).toEqual(before)
    },
  )

  test('is seen by a grant at the same time, and the other way round', async () => {
    const cluster = await exposable()
    cluster.store.put(namespace('ci', { 'istio-injection': 'enabled' }))
    const wanted = { namespace: 'ci', repository: 'team', exact: false, readOnly: false }
    const options = { inject: false, mergeSidecar: false, timeoutMs: 30_000 }
    await Promise.all([
      exposing(cluster, { tls: 'web' }),
      grant(cluster.ports, 'kube-registry', wanted, options),
      exposing(cluster, { host: 'a.apps.example', tls: 'web' }),
    ])
    expect(await hosts(cluster)).toEqual(['a.apps.example', HOST])
    const ref = { apiVersion: 'security.istio.io/v1', kind: 'AuthorizationPolicy', namespace: 'kube-registry' }
    const exposures = await readExposures(cluster.kube, at)
    expect(cluster.store.read({ ...ref, name: 'fence' })?.spec).toEqual(fence(at, { grants: [wanted], exposures }).spec)
    expect(await problems(cluster)).toEqual([])
  })

  test('made while the last one is taken back is served all the same', async () => {
    const cluster = await exposable()
    await exposing(cluster, { tls: 'web' })
    await Promise.all([taking(cluster), exposing(cluster, { host: 'a.apps.example', tls: 'web' })])
    expect(await hosts(cluster)).toEqual(['a.apps.example'])
    expect(await problems(cluster)).toEqual([])
  })
})

describe('nothing is written', () => {
  const gateway = (name: string, spec: object): KubeObject => ({
    apiVersion: 'networking.istio.io/v1',
    kind: 'Gateway',
    metadata: { namespace: 'default', name },
    spec,
  })
  const server = { port: { number: 443, name: 'https', protocol: 'HTTPS' }, tls: { mode: 'PASSTHROUGH' } }
  const theirs = { istio: 'ingressgateway' }
  const route = { hosts: [HOST], gateways: ['istio-ingress/main'] }

  test.each<[string, string, number, string, readonly KubeObject[], object]>([
    ['without a certificate', 'NO_TLS', 2, `host "${HOST}" needs`, [], {}],
    ['where its Secret is not there', 'NO_CERTIFICATE', 3, `Secret ${HOME}/none does not`, [], { tls: 'none' }],
    [
      'where it is of another type',
      'BAD_CERTIFICATE',
      3,
      'its type is "Opaque"',
      [secret(HOME, 'web', { type: 'Opaque' })],
      { tls: 'web' },
    ],
    [
      'where it has no key',
      'BAD_CERTIFICATE',
      3,
      'it has no tls.key',
      [secret(HOME, 'web', { data: { 'tls.crt': 'eA==' } })],
      { tls: 'web' },
    ],
    [
      'where it is for nobody',
      'BAD_CERTIFICATE',
      3,
      'is for no name',
      [
        secret(HOME, 'web', {
          data: {
            'tls.crt': Buffer.from(NAMELESS).toString('base64'),
            'tls.key': Buffer.from(OTHER_KEY).toString('base64'),
          },
        }),
      ],
      { tls: 'web' },
    ],
    ['where it is for another host', 'BAD_CERTIFICATE', 3, 'not for b.example', [], { tls: 'web', host: 'b.example' }],
    [
      'where a Gateway has the host',
      'HOST_TAKEN',
      4,
      `is Gateway default/their's already`.replace("their's", "theirs's"),
      [gateway('theirs', { selector: theirs, servers: [{ ...server, hosts: [`*/${HOST}`] }] })],
      { tls: 'web' },
    ],
    [
      'where a VirtualService has the host',
      'HOST_TAKEN',
      4,
      `is VirtualService default/theirs's already`,
      [{ ...gateway('theirs', route), kind: 'VirtualService' }],
      { tls: 'web' },
    ],
    [
      'where a Gateway attaches',
      'GATEWAY_ATTACHES',
      4,
      'Gateway default/rogue would attach to the exposing gateway',
      [gateway('rogue', { selector: { app: 'registry-expose' }, servers: [] })],
      { tls: 'web' },
    ],
    [
      "where the gateway's name is somebody's",
      'NOT_OURS',
      4,
      `Service ${HOME}/registry-expose exists`,
      [{ apiVersion: 'v1', kind: 'Service', metadata: { namespace: HOME, name: 'registry-expose' } }],
      { tls: 'web' },
    ],
    ['with repositories for the mesh', 'NOT_BY_ISTIO', 2, 'granted', [], { tls: 'istio', repositories: ['shop'] }],
    ['with a gateway for the mesh', 'NOT_BY_ISTIO', 2, 'ends no TLS', [], { tls: 'istio', gateway: 'a/b' }],
  ])('%s', async (_, code, exit, said, objects, asked) => {
    const cluster = await exposable()
    for (const object of objects) cluster.store.put(object)
    forget(cluster)
    await expect(exposing(cluster, asked)).rejects.toEqual(failure(code, exit, said))
    expect(cluster.kube.writes).toEqual([])
  })

  test('and a namespace that is missing is told how to make', async () => {
    const cluster = await exposable()
    cluster.store.remove(refOf(secret(HOME, 'web')))
    cluster.store.remove({ apiVersion: 'v1', kind: 'Namespace', name: HOME })
    await expect(exposing(cluster, { tls: 'web' })).rejects.toMatchObject({
      suggestions: [
        `kubectl create namespace ${HOME}`,
        `kubectl label namespace ${HOME} regctl.dev/installation=kube-registry`,
        `kubectl create secret tls web -n ${HOME} --cert=FULLCHAIN.pem --key=KEY.pem`,
      ],
    })
  })

  test("by the nodes' port 443, which others have on each; one node that is free is enough", async () => {
    const cluster = await exposable()
    const holder = (nodeName: string) =>
      pod('web', `ingress-${nodeName}`, {
        spec: { nodeName, hostNetwork: true, containers: [{ name: 'a', image: 'a', ports: [{ containerPort: 443 }] }] },
      })
    const asked = { tls: 'web', type: 'HostPort' } as const
    cluster.store.put(holder('node1'))
    await exposing(cluster, asked)
    cluster.store.put(holder('node2'))
    await expect(exposing(cluster)).rejects.toEqual(
      failure('PORT_TAKEN', 4, 'by pod web/ingress-node1 on node node1, pod web/ingress-node2 on node node2'),
    )
    expect(await exposing(cluster, { type: 'ClusterIP' })).toMatchObject({ exposure: { secret: 'web' } })
  })

  test('for hosts of others that are wildcards, or for the mesh alone', async () => {
    const cluster = await exposable()
    cluster.store.put(gateway('all', { selector: theirs, servers: [{ ...server, hosts: ['*', '*.example'] }] }))
    const inner = { hosts: [HOST], gateways: ['mesh'] }
    cluster.store.put({ ...gateway('inner', inner), kind: 'VirtualService' })
    expect(await exposing(cluster, { tls: 'web' })).toMatchObject({ changed: true })
  })
})

describe('status tells', () => {
  const DAY = 24 * 3600 * 1000

  test.each<[string, (cluster: FakeCluster) => unknown, string]>([
    ['a certificate that is gone', ({ store }) => store.remove(refOf(secret(HOME, 'web'))), 'is gone'],
    ['one that ends soon', ({ clock }) => clock.sleep(327 * DAY), 'ends on 2027-11-25'],
    ['one that has ended', ({ clock }) => clock.sleep(400 * DAY), 'expired on 2027-11-25'],
    [
      'a Gateway of somebody else',
      ({ store }) =>
        store.put({
          apiVersion: 'networking.istio.io/v1',
          kind: 'Gateway',
          metadata: { namespace: 'default', name: 'rogue' },
          spec: { servers: [] },
        }),
      'Gateway default/rogue attaches to the exposing gateway',
    ],
    [
      'a gateway that answers to too little',
      ({ store }) => {
        const [one] = store.list({ apiVersion: 'networking.istio.io/v1', kind: 'Gateway' }, { namespace: HOME })
        if (one !== undefined) store.remove(refOf(one))
      },
      `it does not pass ${HOST} on yet`,
    ],
    [
      'that Istio has moved on',
      ({ mesh }) => {
        mesh.image = 'docker.io/istio/proxyv2:1.31.1'
      },
      'the exposing gateway was made with docker.io/istio/proxyv2:1.31.0',
    ],
  ])('%s', async (_, happens, said) => {
    const cluster = await exposable()
    await exposing(cluster, { tls: 'web' })
    await happens(cluster)
    expect(await problems(cluster)).toContainEqual(expect.stringContaining(said))
  })
})
