import { expect, test } from 'vitest'
import { fakeCluster, up } from '../../fakes/cluster.ts'

test('smoke', async () => {
  const cluster = fakeCluster()
  const t = Date.now()
  console.log(await up(cluster))
  console.log(Date.now() - t, cluster.kube.writes, cluster.report)
  console.log(await up(cluster), Date.now() - t)
  expect(1).toBe(1)
})
