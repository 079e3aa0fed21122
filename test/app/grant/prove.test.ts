import { describe, expect, test } from 'vitest'
import { prove } from '../../../src/app/grant/prove.ts'
import type { KubeObject } from '../../../src/domain/kube-object.ts'
import { expectations } from '../../../src/domain/policy/expectation.ts'
import { fence, namespaceFence } from '../../../src/domain/policy/fence.ts'
import { type Grant, grantPolicy } from '../../../src/domain/policy/grant.ts'
import { at, grantFrom } from '../../domain/at.ts'
import { type FakeCluster, installedCluster } from '../../fakes/cluster.ts'
import { starting } from '../../fakes/workloads.ts'
import { failure } from '../failure.ts'

const wanted = async () => expectations(at, 'cluster.local', [])
const elapsed = ({ clock }: FakeCluster) => clock.now() - 1_000_000

/** The registry's pod, and one more like it. */
function twoPods({ store }: FakeCluster): readonly string[] {
  const [pod] = store.list({ apiVersion: 'v1', kind: 'Pod' }, { namespace: 'kube-registry' })
  const { ownerReferences: _, ...metadata } = (pod as KubeObject).metadata
  store.put({ ...(pod as KubeObject), metadata: { ...metadata, name: 'second' } })
  return [metadata.name, 'second']
}

const dump = (configs: unknown) => JSON.stringify({ configs })

test('policies in force are proven at once, in every Ready proxy', async () => {
  const cluster = await installedCluster()
  expect(await prove(cluster.ports, at, wanted, 0)).toBe(1)
  const names = twoPods(cluster)
  cluster.pods.asked.length = 0
  expect(await prove(cluster.ports, at, wanted, 0)).toBe(2)
  expect(cluster.pods.asked.map(({ pod }) => pod).sort()).toEqual(names.map((name) => `kube-registry/${name}`).sort())
  expect(cluster.pods.asked[0]?.what).toBe('pilot-agent request GET config_dump?resource=dynamic_listeners')
})

test('one that lags is waited for', async () => {
  const cluster = await installedCluster()
  cluster.mesh.freeze()
  const grants = [grantFrom('ci team')]
  cluster.store.put(grantPolicy(at, grants[0] as Grant))
  cluster.store.put(fence(at, { grants }))
  cluster.store.put(namespaceFence(at, 'ci', grants))
  const granted = async () => expectations(at, 'cluster.local', grants)
  await expect(prove(cluster.ports, at, granted, 0)).rejects.toEqual(failure('NOT_PROVEN', 5, 'ci on team: read'))
  cluster.clock.after(3000, () => cluster.mesh.thaw())
  expect(await prove(cluster.ports, at, granted, 30_000)).toBe(1)
  expect(elapsed(cluster)).toBe(3000)
})

test('what is expected is asked anew each time', async () => {
  const cluster = await installedCluster()
  let rounds = 0
  const changing = async () => (++rounds < 3 ? expectations(at, 'cluster.local', [grantFrom('ci team')]) : [])
  expect(await prove(cluster.ports, at, changing, 30_000)).toBe(1)
  expect([rounds, elapsed(cluster)]).toEqual([3, 1000])
})

describe('is not proven, with the reason,', () => {
  const failing = async (cluster: FakeCluster, message: string) => {
    const failed = prove(cluster.ports, at, wanted, 2000)
    await expect(failed).rejects.toEqual(failure('NOT_PROVEN', 5, message))
    await expect(failed).rejects.toThrow(/ after 2 s: /)
    expect(elapsed(cluster)).toBe(2000)
  }

  test('where the rules decide otherwise, whatever they are called', async () => {
    const cluster = await installedCluster()
    const policy = grantPolicy(at, { ...grantFrom('REGCTL-PROBE any'), repository: 'any' })
    cluster.store.put({ ...policy, metadata: { name: 'innocent', namespace: 'kube-registry' } })
    await prove(cluster.ports, at, wanted, 0)
    cluster.store.remove({
      apiVersion: policy.apiVersion,
      kind: policy.kind,
      namespace: 'kube-registry',
      name: 'fence',
    })
    await failing(
      cluster,
      'strangers never write, but PUT /v2/any/manifests/1 is allowed by ns[kube-registry]-policy[innocent]-rule[0]',
    )
  })

  test('where one of two proxies differs', async () => {
    const cluster = await installedCluster()
    twoPods(cluster)
    cluster.pods.script(({ pod, how }) => (how === 'exec' && pod.endsWith('/second') ? dump([]) : undefined))
    await failing(cluster, 'pod second serves no listener for port 5000')
  })

  test('where a second filter chain for the port lacks the policies', async () => {
    const cluster = await installedCluster()
    cluster.mesh.chains.push([])
    await failing(cluster, 'nodes never write, but PUT /v2/any/manifests/1 is allowed')
  })

  test('where Envoy refused an update, though the rules are right', async () => {
    const cluster = await installedCluster()
    const [name = ''] = twoPods(cluster)
    cluster.mesh.rejected.set(name, [{ listener: 'virtualInbound', details: 'bad filter' }])
    await failing(cluster, `pod ${name} refused an update of listener virtualInbound: bad filter`)
  })

  test('where a condition cannot be judged', async () => {
    const cluster = await installedCluster()
    const odd = { policies: { odd: { permissions: [{ metadata: {} }], principals: [{ any: true }] } } }
    cluster.mesh.chains.push([{ action: 'DENY', ...odd }])
    await failing(cluster, "the proxy's policy has a condition regctl cannot judge: metadata")
  })

  test('where the proxy does not answer', async () => {
    const cluster = await installedCluster()
    cluster.pods.script(({ how }) => (how === 'exec' ? 1 : undefined))
    await failing(cluster, 'did not answer')
  })

  test('with three faults in the message and all of them for scripts', async () => {
    const cluster = await installedCluster()
    cluster.mesh.chains.push([{ policies: {} }], [{ policies: {} }], [{ policies: {} }], [{ policies: {} }])
    const error = await prove(cluster.ports, at, wanted, 0).catch((caught: unknown) => caught)
    const { message, details } = error as { message: string; details: { faults: string[] } }
    expect([message.split('nodes pull').length - 1, details.faults.length]).toEqual([3, 4])
  })
})

test('a pod that is not Ready serves nobody: there is nothing to prove', async () => {
  const cluster = await installedCluster()
  cluster.mesh.chains.push([])
  cluster.workloads.start = starting
  cluster.workloads.again()
  expect(await prove(cluster.ports, at, wanted, 0)).toBe(0)
})

test('a bug is no fault of the proxy', async () => {
  const cluster = await installedCluster()
  cluster.pods.script(({ how }) => (how === 'exec' ? 'no JSON' : undefined))
  await expect(prove(cluster.ports, at, wanted, 60_000)).rejects.toThrow(SyntaxError)
})
