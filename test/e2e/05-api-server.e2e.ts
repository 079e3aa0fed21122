import { afterAll, beforeAll, test } from 'vitest'
import { systemClock } from '../../src/adapters/clock.ts'
import { openCluster } from '../../src/adapters/kube/client.ts'
import { CONTRACT } from '../adapters/kube/contract.ts'

/** The unit tests run on a fake; these are the same checks on the API server it stands for. */
const place = 'e2e-contract'
const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: place } }
const { kube } = openCluster({ clock: systemClock, signal: new AbortController().signal })

const remove = () => kube.remove({ apiVersion: 'v1', kind: 'Namespace', name: place })

beforeAll(async () => {
  await kube.apply(namespace)
})
afterAll(async () => {
  await remove()
})

test.concurrent.each(Object.entries(CONTRACT))('the API server: %s', (_, check) => check({ kube, place }))
