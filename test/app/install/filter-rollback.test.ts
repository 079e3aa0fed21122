import { describe, expect, test } from 'vitest'
import { keepAcceptedFilters } from '../../../src/app/install/filter-rollback.ts'
import { planInstall } from '../../../src/app/install/install-plan.ts'
import type { KubeObject } from '../../../src/domain/kube-object.ts'
import { type FakeCluster, installedCluster, up } from '../../fakes/cluster.ts'
import { failure } from '../failure.ts'

const FILTER = {
  apiVersion: 'networking.istio.io/v1alpha3',
  kind: 'EnvoyFilter',
  namespace: 'kube-registry',
  name: 'refusal-body',
}
const REFUSED = [{ listener: 'virtualInbound', details: 'Proto constraint validation failed' }]

const registryPod = ({ store }: FakeCluster) =>
  store.list({ apiVersion: 'v1', kind: 'Pod' }, { namespace: 'kube-registry' })[0]?.metadata.name ?? ''

/** Envoy refuses as long as the filter is what `up` wants. */
function refuses(cluster: FakeCluster, bad: (filter: KubeObject | undefined) => boolean): void {
  const look = () => {
    const pod = registryPod(cluster)
    if (bad(cluster.store.read(FILTER))) cluster.mesh.rejected.set(pod, REFUSED)
    else cluster.mesh.rejected.delete(pod)
  }
  cluster.store.watchers.push(look)
  look()
}

/** A cluster whose filter is an older version's, so that `up` changes it. */
async function olderFilter() {
  const cluster = await installedCluster()
  const filter = cluster.store.read(FILTER) as KubeObject
  const older = { ...filter, spec: { ...(filter.spec as object), configPatches: [] } }
  cluster.store.put(older)
  return { cluster, spec: older.spec }
}

const isOlder = (filter: KubeObject | undefined) =>
  (filter?.spec as { configPatches: unknown[] } | undefined)?.configPatches.length === 0

describe('a filter of ours that Envoy refuses', () => {
  test('goes back to what it was', async () => {
    const { cluster, spec } = await olderFilter()
    refuses(cluster, (filter) => !isOlder(filter))
    const failed = up(cluster)
    await expect(failed).rejects.toEqual(
      failure(
        'FILTER_REJECTED',
        5,
        `a proxy refused its configuration: pod ${registryPod(cluster)}, listener virtualInbound: Proto constraint validation failed; EnvoyFilter kube-registry/refusal-body was put back to what it was`,
      ),
    )
    await expect(failed).rejects.not.toThrow(/others/)
    expect(cluster.store.read(FILTER)?.spec).toEqual(spec)
  })

  test('goes away where there was none', async () => {
    const cluster = await installedCluster()
    cluster.store.remove(FILTER)
    refuses(cluster, (filter) => filter !== undefined)
    await expect(up(cluster)).rejects.toEqual(failure('FILTER_REJECTED', 5))
    expect(cluster.store.read(FILTER)).toBeUndefined()
  })

  test('is given some seconds to leave the proxy', async () => {
    const cluster = await installedCluster()
    cluster.store.remove(FILTER)
    cluster.mesh.rejected.set(registryPod(cluster), REFUSED)
    cluster.clock.after(3000, () => cluster.mesh.rejected.clear())
    await expect(up(cluster)).rejects.not.toThrow(/others/)
  })
})

describe('a refusal that is not ours', () => {
  test('names others, and changes nothing where nothing of ours changed', async () => {
    const cluster = await installedCluster()
    const before = cluster.store.read(FILTER)
    cluster.mesh.rejected.set(registryPod(cluster), REFUSED)
    await expect(up(cluster)).rejects.toEqual(
      failure('FILTER_REJECTED', 5, 'the cause is not in what regctl changed: look at the EnvoyFilters of others'),
    )
    expect(cluster.store.read(FILTER)).toEqual(before)
  })

  test('says what went back all the same, when that did not help', async () => {
    const { cluster, spec } = await olderFilter()
    cluster.mesh.rejected.set(registryPod(cluster), REFUSED)
    await expect(up(cluster)).rejects.toEqual(
      failure(
        'FILTER_REJECTED',
        5,
        'refusal-body was put back to what it was, which did not help; the cause is not in what regctl changed',
      ),
    )
    expect(cluster.store.read(FILTER)?.spec).toEqual(spec)
    expect(cluster.clock.now() - 1_000_000).toBeLessThan(7000)
  })
})

test('node proxies count, a listener on ::1 that a node cannot have does not', async () => {
  const cluster = await installedCluster()
  const plan = await planInstall(cluster.ports, 'kube-registry', {})
  const [proxy] = cluster.store.list({ apiVersion: 'v1', kind: 'Pod' }, { namespace: 'kube-registry-node' })
  const name = proxy?.metadata.name ?? ''
  cluster.mesh.rejected.set(name, [{ listener: 'registry_ipv6_5000', details: 'Cannot assign requested address' }])
  await keepAcceptedFilters(cluster.ports, plan)
  cluster.mesh.rejected.set(name, [{ listener: '127.0.0.1_5000', details: 'bad' }])
  await expect(keepAcceptedFilters(cluster.ports, plan)).rejects.toEqual(failure('FILTER_REJECTED', 5, name))
})
