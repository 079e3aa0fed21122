import { describe, expect, test } from 'vitest'
import { planInstall } from '../../../src/app/install/install-plan.ts'
import { hostPortHolders, preflight, rightText, versionRemarks } from '../../../src/app/install/preflight.ts'
import type { GivenSettings } from '../../../src/domain/settings.ts'
import { at } from '../../domain/at.ts'
import { clusterObject, type FakeCluster, fakeCluster, installedCluster, pod } from '../../fakes/cluster.ts'
import { failure } from '../failure.ts'

async function check(cluster: FakeCluster, given: GivenSettings = {}): Promise<readonly string[]> {
  const notes: string[] = []
  await preflight(cluster.ports, await planInstall(cluster.ports, 'kube-registry', given), (text) => notes.push(text))
  return notes
}

const holding = (port: number) => ({
  spec: {
    containers: [
      { name: 'none' },
      { name: 'app', ports: [{ containerPort: 81 }, { containerPort: 80, hostPort: port }] },
    ],
  },
})

test('tells the versions, warns of nothing and writes nothing', async () => {
  const cluster = fakeCluster()
  expect(await check(cluster)).toEqual(['Kubernetes v1.36.0, Istio 1.31.0'])
  expect([cluster.report.warnings, cluster.report.infos, cluster.kube.writes]).toEqual([[], [], []])
})

describe('versions', () => {
  test('a Kubernetes without native sidecars is refused', async () => {
    const cluster = fakeCluster()
    cluster.kube.gitVersion = 'v1.28.9'
    await expect(check(cluster)).rejects.toEqual(failure('KUBERNETES_TOO_OLD', 3, 'v1.28.9'))
    cluster.kube.gitVersion = 'v1.29.0'
    await check(cluster)
  })

  test('remarks become warnings', async () => {
    const cluster = fakeCluster()
    await check(cluster, { istioVersion: '1.40.0' })
    expect(cluster.report.warnings).toEqual(['Istio 1.40.0 is newer than 1.31, the newest this was tested with'])
  })

  test.each([
    ['v1.36.2', '1.31.9', []],
    ['v1.29.0', '1.29.0', []],
    ['v1.36.0', '1.28.4', ['Istio 1.28.4 is older than 1.29, the oldest this is expected to work with']],
    ['v1.37.0', '1.32.0', ['Istio 1.32.0 is newer than 1.31', 'Kubernetes v1.37.0 is newer than 1.36']],
    ['v1.36.0', 'unknown', ["Istio's version cannot be told; settings for versions before 1.31 are used"]],
  ])('Kubernetes %s with Istio %s', (kubernetes, istio, expected) => {
    expect(versionRemarks(kubernetes, istio)).toEqual(expected.map((text) => expect.stringContaining(text)))
  })
})

test('an ambient mesh and a cluster without ValidatingAdmissionPolicy get a clear word', async () => {
  const cluster = fakeCluster()
  cluster.store.put({
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { name: 'ztunnel', namespace: 'istio-system' },
  })
  cluster.kube.without = ['ValidatingAdmissionPolicy', 'ValidatingAdmissionPolicyBinding']
  await check(cluster)
  expect(cluster.report.infos).toEqual([expect.stringContaining('The mesh is ambient')])
  expect(cluster.report.warnings).toEqual([expect.stringContaining('any pod may ask for host port 5000')])
})

describe('rights', () => {
  test('that are missing are named, all of them', async () => {
    const cluster = fakeCluster()
    cluster.kube.may = ({ resource, subresource }) => resource !== 'daemonsets' && subresource !== 'exec'
    await expect(check(cluster)).rejects.toEqual(
      failure(
        'RIGHTS_MISSING',
        3,
        'context "lab" may not patch daemonsets in kube-registry-node, create pods/exec in kube-registry',
      ),
    )
  })

  test('on admission policies are asked where the cluster has them', async () => {
    const cluster = fakeCluster()
    cluster.kube.may = ({ group }) => group !== 'admissionregistration.k8s.io'
    await expect(check(cluster)).rejects.toEqual(failure('RIGHTS_MISSING', 3, 'patch validatingadmissionpolicies'))
    cluster.kube.without = ['ValidatingAdmissionPolicy']
    await expect(check(cluster)).rejects.toEqual(failure('RIGHTS_MISSING', 3, 'patch mutatingadmissionpolicies'))
    cluster.kube.without = ['ValidatingAdmissionPolicy', 'MutatingAdmissionPolicy']
    await check(cluster)
  })

  test('on what a gateway of the nodes needs are asked for one', async () => {
    const cluster = fakeCluster()
    cluster.kube.may = ({ resource, namespace }) =>
      namespace !== 'kube-registry-node' || !/^(telemetr|gateway)/.test(resource)
    await check(cluster)
    await expect(check(cluster, { nodeProxy: 'gateway' })).rejects.toEqual(
      failure(
        'RIGHTS_MISSING',
        3,
        'may not patch gateways in kube-registry-node, patch telemetries in kube-registry-node',
      ),
    )
  })

  test('read as kubectl names them', () => {
    expect(rightText({ verb: 'get', group: '', resource: 'pods' })).toBe('get pods')
    expect(rightText({ verb: 'create', group: '', resource: 'pods', subresource: 'exec', namespace: 'n' })).toBe(
      'create pods/exec in n',
    )
  })
})

describe('the host port', () => {
  test('of a pod of somebody else is refused, with another port', async () => {
    const cluster = fakeCluster()
    cluster.store.put(pod('default', 'other', holding(5000)))
    await expect(check(cluster)).rejects.toMatchObject({
      code: 'PORT_CLAIMED',
      oclif: { exit: 4 },
      message: 'host port 5000 is claimed by pod default/other',
      suggestions: ['regctl up --port 5001', 'kubectl delete pod -n default other'],
    })
    await check(cluster, { port: 5001 })
  })

  test('is held by init containers too, not by pods that are over nor by our own proxies', async () => {
    const cluster = await installedCluster()
    const { spec } = holding(5000)
    cluster.store.put(pod('default', 'native', { spec: { containers: [], initContainers: spec.containers } }))
    cluster.store.put(pod('default', 'done', { ...holding(5000), status: { phase: 'Succeeded' } }))
    cluster.store.put(pod('default', 'failed', { ...holding(5000), status: { phase: 'Failed' } }))
    cluster.store.put(pod('default', 'pending', { ...holding(5000), status: { phase: 'Pending' } }))
    cluster.store.put(pod('default', 'elsewhere', holding(5001)))
    expect(await hostPortHolders(cluster.ports, at)).toEqual(['default/native', 'default/pending'])
  })
})

describe('storage', () => {
  const NO_DEFAULT = clusterObject('storage.k8s.io/v1', 'StorageClass', 'standard')

  test('a class that does not exist is refused with those that do', async () => {
    await expect(check(fakeCluster(), { storageClass: 'fast' })).rejects.toMatchObject({
      code: 'NO_STORAGE_CLASS',
      oclif: { exit: 3 },
      suggestions: ['regctl up --storage-class standard'],
    })
  })

  test('one default among others is enough', async () => {
    const cluster = fakeCluster()
    cluster.store.put(clusterObject('storage.k8s.io/v1', 'StorageClass', 'fast'))
    expect(await check(cluster)).toHaveLength(1)
  })

  test('without a default class one has to be named, or none is needed', async () => {
    const cluster = fakeCluster()
    cluster.store.put(NO_DEFAULT)
    await expect(check(cluster)).rejects.toMatchObject({
      code: 'NO_DEFAULT_STORAGE_CLASS',
      oclif: { exit: 3 },
      suggestions: [
        'regctl up --storage-class standard',
        'regctl up --storage emptydir, which loses images with the pod',
      ],
    })
    await check(cluster, { storageClass: 'standard' })
    await check(cluster, { storage: 'emptydir' })
  })
})
