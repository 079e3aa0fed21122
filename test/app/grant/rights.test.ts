import { expect, test } from 'vitest'
import { grant } from '../../../src/app/grant/grant.ts'
import { preconditionError } from '../../../src/errors.ts'
import { grantFrom } from '../../domain/at.ts'
import { forget, installedCluster, namespace } from '../../fakes/cluster.ts'

const LABELS = { 'istio-injection': 'disabled', 'kubernetes.io/metadata.name': 'ci' }

test.each([
  ['the policy', /^apply AuthorizationPolicy .*\/grant-/, 3],
  ['the fence', /^(apply|create) AuthorizationPolicy .*\/writes-ci/, 5],
  ['the listener', /^apply Sidecar ci\//, 5],
  ['the label', /^patch Namespace ci/, 5],
])('whoever may not write %s leaves nothing of a grant behind', async (_, refused, exit) => {
  const cluster = await installedCluster()
  cluster.store.put(namespace('ci', { 'istio-injection': 'disabled' }))
  forget(cluster)
  const before = cluster.store.list({ apiVersion: 'security.istio.io/v1', kind: 'AuthorizationPolicy' })
  cluster.kube.turn = ({ verb, what }) => {
    if (refused.test(`${verb} ${what}`)) throw preconditionError('FORBIDDEN', `not allowed to ${verb} ${what}`)
  }
  const options = { inject: true, mergeSidecar: false, timeoutMs: 1000 }
  await expect(grant(cluster.ports, 'kube-registry', grantFrom('ci app'), options)).rejects.toMatchObject({
    code: 'FORBIDDEN',
    oclif: { exit },
  })
  const after = cluster.store.list({ apiVersion: 'security.istio.io/v1', kind: 'AuthorizationPolicy' })
  expect(after.map(({ metadata }) => metadata.name)).toEqual(before.map(({ metadata }) => metadata.name))
  expect(cluster.store.list({ apiVersion: 'networking.istio.io/v1', kind: 'Sidecar' }, { namespace: 'ci' })).toEqual([])
  expect(cluster.store.read({ apiVersion: 'v1', kind: 'Namespace', name: 'ci' })?.metadata.labels).toEqual(LABELS)
})
