import { describe, expect, test } from 'vitest'
import { grant } from '../../../src/app/grant/grant.ts'
import { status } from '../../../src/app/inspect/status.ts'
import { planInstall } from '../../../src/app/install/install-plan.ts'
import { uninstall } from '../../../src/app/install/uninstall.ts'
import { changeSets } from '../../../src/app/open-ports/ledger.ts'
import { checkRequest } from '../../../src/app/open-ports/open.ts'
import type { KubeObject } from '../../../src/domain/kube-object.ts'
import { withoutPort } from '../../../src/domain/open-ports/port-set.ts'
import { openPortText } from '../../../src/ui/open-port-text.ts'
import { portsText } from '../../../src/ui/ports-text.ts'
import { at } from '../../domain/at.ts'
import { documentsIn } from '../../domain/open-ports/documents-in.ts'
import {
  clusterObject,
  type FakeCluster,
  fakeCluster,
  forget,
  installedCluster,
  namespace,
  pod,
  up,
} from '../../fakes/cluster.ts'
import { plain } from '../../ui/plain.ts'
import { failure } from '../failure.ts'
import { alsoListed, close, hostPorts, list, listener, names, open, probing } from './kit.ts'

const HOME = 'kube-registry-ports-web'

async function cluster(options: Parameters<typeof fakeCluster>[0] = {}): Promise<FakeCluster> {
  const made = await installedCluster({}, options)
  for (const [index, name] of ['node1', 'node2'].entries())
    made.store.put({
      ...clusterObject('v1', 'Node', name),
      status: { addresses: [{ type: 'InternalIP', address: `10.0.0.${index + 1}` }] },
    })
  made.store.put(namespace('team-a'))
  forget(made)
  return made
}

const gateway = (at: string, name: string, selector?: Readonly<Record<string, string>>): KubeObject => ({
  apiVersion: 'networking.istio.io/v1',
  kind: 'Gateway',
  metadata: { name, namespace: at },
  spec: {
    ...(selector === undefined ? {} : { selector }),
    servers: [{ port: { number: 443, protocol: 'HTTPS' }, hosts: ['./app.example.com'] }],
  },
})

describe('open-port', () => {
  test('makes a gateway of its own and tells all that is to be known', async () => {
    const made = await cluster()
    probing(made)
    const result = await open(made, { port: 443, name: 'web', gatewaysFrom: ['team-a'] })
    expect(result).toMatchObject({
      port: 443,
      targetPort: 8443,
      namespace: HOME,
      host: `registry-ports-web.${HOME}.svc.cluster.local`,
      dns: ['10.0.0.1', '10.0.0.2'],
      firewall: null,
      secret: 'app-example-com',
      changed: true,
    })
    expect(hostPorts(made, 'web')).toEqual([443])
    expect(names(made, 'admissionregistration.k8s.io/v1', 'ValidatingAdmissionPolicy')).toContain(
      `regctl-gateways-${HOME}`,
    )
    // Nobody who may look at Jobs finds one.
    expect(names(made, 'batch/v1', 'Job')).toEqual([])
    const text = openPortText(result)
    expect(text).toContain('#   10.0.0.2 (node2)')
    expect(text).toContain(`#   kubectl create secret tls app-example-com -n ${HOME} --cert FILE --key FILE`)
    expect(documentsIn(text)).toEqual(result.example)
  })

  test('again changes nothing, and probes nothing that is its own', async () => {
    const made = await cluster()
    probing(made)
    await open(made, { port: 443, name: 'web' })
    forget(made)
    const versions = made.store
      .list({ apiVersion: 'apps/v1', kind: 'DaemonSet' })
      .map(({ metadata }) => metadata.resourceVersion)
    const { changed } = await open(made, { port: 443 })
    expect(changed).toBe(false)
    expect(made.kube.writes.filter((write) => write.includes('Job'))).toEqual([])
    expect(
      made.store.list({ apiVersion: 'apps/v1', kind: 'DaemonSet' }).map(({ metadata }) => metadata.resourceVersion),
    ).toEqual(versions)
  })

  test('another port touches no other gateway', async () => {
    const made = await cluster()
    probing(made)
    await open(made, { port: 443, name: 'web' })
    const pods = () =>
      made.store.list({ apiVersion: 'v1', kind: 'Pod' }, { namespace: HOME }).map(({ metadata }) => metadata.uid)
    const before = pods()
    await open(made, { port: 3128, address: 'loopback' })
    await close(made, 3128)
    expect(pods()).toEqual(before)
    expect(before).toHaveLength(2)
  })

  test('of the same name shares the pods', async () => {
    const made = await cluster()
    probing(made)
    await open(made, { port: 443, name: 'web' })
    await open(made, { port: 80, name: 'web' })
    expect(hostPorts(made, 'web')).toEqual([80, 443])
    await close(made, 80)
    expect(hostPorts(made, 'web')).toEqual([443])
  })

  test('for loopback needs no DNS and no firewall', async () => {
    const made = await cluster()
    probing(made)
    const result = await open(made, { port: 3128, address: 'loopback' })
    expect(result).toMatchObject({ dns: [], firewall: null, secret: null })
    expect(openPortText(result)).toContain('# Only processes of a node reach it, by 127.0.0.1:3128.')
  })

  test.each<[string, (made: FakeCluster) => void, ReturnType<typeof failure>]>([
    [
      'a pod',
      ({ store }) =>
        void store.put(
          pod('default', 'theirs', {
            spec: { nodeName: 'node2', containers: [{ name: 'a', ports: [{ hostPort: 443, containerPort: 1 }] }] },
          }),
        ),
      failure('PORT_TAKEN', 4, 'port 443 is taken by pod default/theirs on node node2'),
    ],
    [
      "a Service's node port",
      ({ store }) =>
        void store.put({
          apiVersion: 'v1',
          kind: 'Service',
          metadata: { name: 's', namespace: 'default' },
          spec: { ports: [{ nodePort: 443 }] },
        }),
      failure('PORT_TAKEN', 4, 'the node port of Service default/s'),
    ],
    [
      'a process of a node',
      (made) => probing(made, (node) => (node === 'node2' ? listener(443) : '')),
      failure('PORT_TAKEN', 4, 'port 443 is taken by a process of node node2 (user 0, on every address)'),
    ],
    [
      'nobody knows whom',
      (made) => probing(made, () => ({ phase: 'Failed', message: 'no room' })),
      failure('PROBE_FAILED', 5, 'nobody could look at the ports of node node1: no room'),
    ],
    ['nobody knows whom, for no pod comes', () => {}, failure('PROBE_FAILED', 5, 'node node1: it got no pod')],
    [
      "somebody's Gateway without selector",
      ({ store }) => void store.put(gateway('team-a', 'all')),
      failure('GATEWAY_ATTACHES', 4, 'Gateway team-a/all would attach to these ports, and its namespace is not named'),
    ],
    [
      "somebody's namespace",
      ({ store }) => void store.put(namespace(HOME)),
      failure('NOT_OURS', 4, `Namespace ${HOME}`),
    ],
    [
      'taints',
      ({ store }) => {
        for (const name of ['node1', 'node2'])
          store.put({ ...clusterObject('v1', 'Node', name), spec: { taints: [{ key: 'a', effect: 'NoSchedule' }] } })
      },
      failure('NO_NODE', 3, 'every node has a taint'),
    ],
    [
      'a right',
      ({ kube }) => {
        kube.may = ({ resource }) => resource !== 'jobs'
      },
      failure('RIGHTS_MISSING', 3, 'create jobs'),
    ],
  ])('stops for %s and leaves nothing', async (_, spoil, error) => {
    const made = await cluster()
    spoil(made)
    forget(made)
    const before = names(made, 'v1', 'Namespace')
    await expect(open(made, { port: 443, name: 'web' })).rejects.toEqual(error)
    expect(names(made, 'v1', 'Namespace')).toEqual(before)
    expect(names(made, 'batch/v1', 'Job')).toEqual([])
    expect(made.kube.writes.filter((write) => !write.includes('Job'))).toEqual([])
  })

  test.each<[string, Parameters<typeof open>[1], ReturnType<typeof failure>]>([
    ['for nodes there are none of', { port: 443, nodes: 'a=b' }, failure('NO_NODE', 3, 'no node matches "a=b"')],
    ['for a namespace nobody has', { port: 443, gatewaysFrom: ['gone'] }, failure('NO_NAMESPACE', 3, '"gone"')],
    ["that is the registry's", { port: 5000 }, failure('REGISTRY_PORT', 4)],
  ])('%s is refused', async (_, request, error) => {
    const made = await cluster()
    await expect(open(made, request)).rejects.toEqual(error)
    expect(made.kube.writes).toEqual([])
  })

  test('what is wrong by itself is told without a cluster', () => {
    expect(() => checkRequest({ port: 80, nodes: 'a b' }, 'kube-registry')).toThrow(failure('INVALID_SELECTOR', 2))
    expect(() => checkRequest({ port: 0 }, 'kube-registry')).toThrow(failure('INVALID_PORT', 2))
  })

  test('where no registry is, says how to come by one', async () => {
    await expect(open(fakeCluster(), { port: 443 })).rejects.toEqual(failure('NOT_INSTALLED', 3))
  })

  test('interrupted while it looks, leaves no probe', async () => {
    const made = await cluster()
    made.kube.turn = ({ verb, what }) => {
      if (verb === 'list' && what === 'Pod' && names(made, 'batch/v1', 'Job').length > 0)
        made.abort.abort(new Error('stopped'))
    }
    const kube = { remove: async (ref: Parameters<typeof made.store.remove>[0]) => made.store.remove(ref) }
    const { openPort } = await import('../../../src/app/open-ports/open.ts')
    await expect(openPort({ ...made.ports, cleanup: kube }, 'kube-registry', { port: 443 }, 1000)).rejects.toThrow()
    expect(names(made, 'batch/v1', 'Job')).toEqual([])
  })

  test('two at the same time lose nothing', async () => {
    const made = await cluster()
    probing(made)
    let done = false
    made.kube.turn = async ({ verb, what }) => {
      if (done || verb !== 'apply' || !what.includes('DaemonSet')) return
      done = true
      await alsoListed(made, { port: 80, name: 'web' })
    }
    await open(made, { port: 443, name: 'web' })
    expect(hostPorts(made, 'web')).toEqual([80, 443])
  })

  test('the same port, opened by another name in the same moment, is refused', async () => {
    const made = await cluster()
    probing(made, () => {
      void alsoListed(made, { port: 443, name: 'first' })
      return ''
    })
    await expect(open(made, { port: 443, name: 'second' })).rejects.toEqual(failure('PORT_OPEN', 4, '"first"'))
    expect(names(made, 'v1', 'Namespace')).not.toContain('kube-registry-ports-second')
  })
})

describe('close-port', () => {
  test('takes everything away, and a second time nothing', async () => {
    const made = await cluster()
    probing(made)
    const before = made.store.list({ apiVersion: 'v1', kind: 'Namespace' }).length
    await open(made, { port: 443, name: 'web' })
    expect(await close(made, 443)).toEqual({ port: 443, name: 'web', changed: true, foreign: [] })
    expect(made.store.list({ apiVersion: 'v1', kind: 'Namespace' })).toHaveLength(before)
    expect(names(made, 'admissionregistration.k8s.io/v1', 'ValidatingAdmissionPolicy')).not.toContain(
      `regctl-gateways-${HOME}`,
    )
    expect(await close(made, 443)).toEqual({ port: 443, name: null, changed: false, foreign: [] })
  })

  test('leaves what others have there, and says so', async () => {
    const made = await cluster()
    probing(made)
    await open(made, { port: 443, name: 'web' })
    made.store.put(gateway(HOME, 'theirs', { app: 'registry-ports-web' }))
    expect((await close(made, 443)).foreign).toEqual([`Gateway ${HOME}/theirs`])
    expect(names(made, 'v1', 'Namespace')).toContain(HOME)
    expect(hostPorts(made, 'web')).toEqual([])
    // It is found again.
    await open(made, { port: 443, name: 'web' })
    expect((await list(made)).ports[0]?.gateways).toHaveLength(1)
  })

  test('beside another one that takes the last port leaves nothing', async () => {
    const made = await cluster()
    probing(made)
    await open(made, { port: 443, name: 'web' })
    await open(made, { port: 80, name: 'web' })
    let done = false
    made.kube.turn = async ({ verb, what }) => {
      if (done || verb !== 'apply' || !what.includes('DaemonSet')) return
      done = true
      await changeSets(made.kube, at, (sets) => withoutPort(sets, 443))
    }
    expect(await close(made, 80)).toEqual({ port: 80, name: 'web', changed: true, foreign: [] })
    expect(names(made, 'v1', 'Namespace')).not.toContain(HOME)
  })

  test('goes on where an interrupted one stopped', async () => {
    const made = await cluster()
    probing(made)
    await open(made, { port: 443, name: 'web' })
    made.kube.turn = ({ verb, what }) => {
      if (verb === 'remove' && what.includes('Service ')) throw new Error('killed')
    }
    await expect(close(made, 443)).rejects.toThrow('killed')
    made.kube.turn = () => {}
    await close(made, 443)
    expect(names(made, 'v1', 'Namespace')).not.toContain(HOME)
  })
})

describe('with ports open', () => {
  test('they are listed with the Gateways that use them, and what is wrong', async () => {
    const made = await cluster()
    probing(made)
    await open(made, { port: 443, name: 'web', gatewaysFrom: ['team-a'] })
    made.store.put(gateway('team-a', 'app', { app: 'registry-ports-web' }))
    const { ports, problems } = await list(made)
    expect(problems).toEqual([])
    expect(ports).toMatchObject([
      { port: 443, name: 'web', gateways: [{ gateway: 'app', namespace: 'team-a', hosts: ['app.example.com'] }] },
    ])
    made.store.put(gateway('default', 'all'))
    const wrong = await list(made)
    expect(wrong.problems.map(({ what }) => what)).toEqual([
      'Gateway default/all attaches to port 443, and its namespace is not named for it',
    ])
    expect(plain(portsText(wrong)).split('\n').slice(0, 3)).toEqual([
      'PORT   NAME   NODES   ADDRESSES           GATEWAY       HOSTS',
      '443    web    2/2     10.0.0.1 10.0.0.2   default/all   app.example.com',
      '                                          team-a/app    app.example.com',
    ])
    const state = await status(made.ports, 'kube-registry')
    expect(state.openPorts).toEqual(wrong.ports)
    expect(state.problems.map(({ what }) => what)).toEqual(wrong.problems.map(({ what }) => what))
  })

  test('none is said with the next step', async () => {
    expect(portsText(await list(await cluster()))).toContain('regctl open-port 443')
  })

  test('up keeps them, renders them anew with the mesh, and is done a second time', async () => {
    const made = await cluster()
    probing(made)
    await open(made, { port: 443, name: 'web' })
    const plan = async () =>
      (await planInstall(made.ports, 'kube-registry', {})).changes.filter(({ action }) => action !== 'unchanged')
    expect(await plan()).toEqual([])
    made.mesh.image = 'docker.io/istio/proxyv2:1.31.1'
    expect((await plan()).map(({ ref }) => ref.name)).toContain('registry-ports-web')
    await up(made)
    expect(await plan()).toEqual([])
    expect(hostPorts(made, 'web')).toEqual([443])
  })

  test('up does not take away what was opened since its plan was made', async () => {
    const made = await cluster()
    probing(made)
    const { install } = await import('../../../src/app/install/install.ts')
    const plan = await planInstall(made.ports, 'kube-registry', {})
    await open(made, { port: 443, name: 'web' })
    await install(made.ports, plan, { wait: true, timeoutMs: 60_000 })
    expect(hostPorts(made, 'web')).toEqual([443])
  })

  test('down removes all of it', async () => {
    const made = await cluster()
    probing(made)
    await open(made, { port: 443, name: 'web' })
    await open(made, { port: 80 })
    const { foreign } = await uninstall(made.ports, 'kube-registry', { deleteData: true, timeoutMs: 10_000 })
    expect(foreign).toEqual([])
    expect(names(made, 'v1', 'Namespace').filter((name) => name.startsWith('kube-registry'))).toEqual([])
    expect(names(made, 'admissionregistration.k8s.io/v1', 'ValidatingAdmissionPolicy')).toEqual([])
  })

  test("their gateways' identities are granted nothing", async () => {
    const made = await cluster()
    probing(made)
    await open(made, { port: 443, name: 'web' })
    const wanted = { namespace: HOME, repository: 'a', exact: false, readOnly: true }
    await expect(
      grant(made.ports, 'kube-registry', wanted, { inject: true, mergeSidecar: false, timeoutMs: 1000 }),
    ).rejects.toEqual(failure('OWN_NAMESPACE', 4, HOME))
  })
})
