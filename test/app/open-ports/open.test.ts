import { describe, expect, test } from 'vitest'
import { checkRequest } from '../../../src/app/open-ports/open.ts'
import { openPortText } from '../../../src/ui/open-port-text.ts'
import { documentsIn } from '../../domain/open-ports/documents-in.ts'
import { clusterObject, type FakeCluster, fakeCluster, forget, namespace, pod } from '../../fakes/cluster.ts'
import { failure } from '../failure.ts'
import { alsoListed, close, cluster, gateway, HOME, hostPorts, listener, names, open, probing } from './kit.ts'

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
