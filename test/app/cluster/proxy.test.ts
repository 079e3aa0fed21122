import type { V1Pod } from '@kubernetes/client-node'
import { expect, test } from 'vitest'
import { nodeProxyPods, proxyConfig, registryPods } from '../../../src/app/cluster/proxy.ts'
import { isReady } from '../../../src/domain/ready-pods.ts'
import { at } from '../../domain/at.ts'
import { installedCluster, pod } from '../../fakes/cluster.ts'
import { failure } from '../failure.ts'

const withStatus = (conditions: readonly unknown[], metadata = {}) =>
  ({ metadata, status: { conditions } }) as unknown as V1Pod
const READY = { type: 'Ready', status: 'True' }

test.each<[string, V1Pod, boolean]>([
  ['says so', withStatus([{ type: 'PodScheduled', status: 'True' }, READY]), true],
  ['says no', withStatus([{ ...READY, status: 'False' }]), false],
  ['has only started', withStatus([{ type: 'Initialized', status: 'True' }]), false],
  ['has no status yet', { metadata: {} }, false],
  ['is on its way out', withStatus([READY], { deletionTimestamp: 'now' }), false],
])('a pod that %s is ready: %#', (_, one, expected) => expect(isReady(one)).toBe(expected))

test('pods are found by their label, in their own namespaces', async () => {
  const { ports, store } = await installedCluster()
  const stray = pod('default', 'stray')
  store.put({ ...stray, metadata: { ...stray.metadata, labels: { app: 'kube-registry' } } })
  store.put(pod('kube-registry', 'other'))
  expect((await registryPods(ports, at)).map(({ metadata }) => metadata?.namespace)).toEqual(['kube-registry'])
  expect((await nodeProxyPods(ports, at)).map(({ spec }) => spec?.nodeName)).toEqual(['node1', 'node2'])
})

test('the registry’s proxy is asked by its agent, a node’s by its own admin port', async () => {
  const { ports, pods } = await installedCluster()
  const [registry, node] = [(await registryPods(ports, at))[0], (await nodeProxyPods(ports, at))[0]]
  expect((await proxyConfig(ports, registry as V1Pod, 5000)).chains).toHaveLength(1)
  expect((await proxyConfig(ports, node as V1Pod, 5000)).rejected).toEqual([])
  expect(pods.asked.map(({ how, at: place, what }) => [how, place, what])).toEqual([
    ['exec', 'istio-proxy', 'pilot-agent request GET config_dump?resource=dynamic_listeners'],
    ['request', 15_900, 'GET /config_dump?resource=dynamic_listeners'],
  ])
})

test('one that does not answer is an error with its log', async () => {
  const { ports, pods } = await installedCluster()
  pods.script(({ how }) => (how === 'exec' ? 7 : 503))
  for (const [list, why] of [
    [registryPods, 'failed'],
    [nodeProxyPods, 'status 503'],
  ] as const) {
    const [one] = await list(ports, at)
    const { namespace, name } = one?.metadata ?? {}
    const failed = proxyConfig(ports, one as V1Pod, 5000)
    await expect(failed).rejects.toEqual(failure('PROXY_SILENT', 5, `${namespace}/${name} did not answer`))
    await expect(failed).rejects.toThrow(new RegExp(`: ${why}$`))
    await expect(failed).rejects.toMatchObject({ suggestions: [`kubectl logs -n ${namespace} ${name} -c istio-proxy`] })
  }
})
