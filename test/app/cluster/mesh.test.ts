import { describe, expect, test } from 'vitest'
import {
  clusterDomainOf,
  findIstiods,
  meshFacts,
  meshTrustDomain,
  proxyTemplate,
  trustDomainOf,
} from '../../../src/app/cluster/mesh.ts'
import type { KubeObject } from '../../../src/domain/kube-object.ts'
import { at } from '../../domain/at.ts'
import { type FakeCluster, fakeCluster, installedCluster, istiod, pod } from '../../fakes/cluster.ts'
import { failure } from '../failure.ts'

/** istiod by an image, with a running pod that says its version. */
function istiodOf(image: string, version?: string) {
  const cluster = fakeCluster()
  cluster.store.put(istiod('default', image))
  if (version !== undefined) {
    const running = pod('istio-system', 'istiod-1')
    cluster.store.put({ ...running, metadata: { ...running.metadata, labels: { app: 'istiod' } } })
    cluster.pods.script(({ at: port, what }) => (port === 15_014 && what === 'GET /version' ? version : undefined))
  }
  return cluster
}

const versions = async ({ ports }: FakeCluster) => (await findIstiods(ports)).map(({ version }) => version)

describe('istiod', () => {
  test('is found with its revision', async () => {
    const cluster = fakeCluster()
    cluster.store.put(istiod('canary', 'docker.io/istio/pilot:1.32.0'))
    expect(await findIstiods(cluster.ports)).toEqual([
      { namespace: 'istio-system', name: 'istiod', revision: 'default', version: '1.31.0' },
      { namespace: 'istio-system', name: 'istiod-canary', revision: 'canary', version: '1.32.0' },
    ])
  })

  test.each([
    ['docker.io/istio/pilot:1.31.0', '1.31.0'],
    ['docker.io/istio/pilot:1.31.2-distroless', '1.31.2-distroless'],
    ['example.org:5000/pilot:v1.30', '1.30'],
    ['gcr.io/istio/pilot:1.30.1@sha256:0123', '1.30.1'],
  ])('of image %s has version %s', async (image, version) => {
    const cluster = istiodOf(image)
    expect(await versions(cluster)).toEqual([version])
    expect(cluster.pods.asked).toEqual([])
  })

  test.each([
    ['example.org/pilot:dev', '1.31.0-abc-Clean', '1.31.0'],
    ['example.org:5000/pilot', '1.30', '1.30'],
    ['example.org/pilot@sha256:0123', 'nonsense', 'unknown'],
  ])('of image %s is asked itself', async (image, answer, version) => {
    expect(await versions(istiodOf(image, answer))).toEqual([version])
  })

  test('that does not run or does not answer has an unknown version', async () => {
    expect(await versions(istiodOf('example.org/pilot:dev'))).toEqual(['unknown'])
    const silent = istiodOf('example.org/pilot:dev', '1.31.0')
    silent.pods.script(() => new Error('refused'))
    expect(await versions(silent)).toEqual(['unknown'])
  })
})

describe('the proxy’s template', () => {
  test('is what the injector makes, asked for by a dry run', async () => {
    const cluster = fakeCluster()
    const { container, volumes } = await proxyTemplate(cluster.ports, at, undefined)
    expect([container.name, container.image]).toEqual(['istio-proxy', 'docker.io/istio/proxyv2:1.31.0'])
    expect(volumes.map(({ name }) => name).sort()).toEqual(
      (container.volumeMounts ?? []).map(({ name }) => name).sort(),
    )
    expect(cluster.kube.writes).toEqual([])
    expect(cluster.store.list({ apiVersion: 'v1', kind: 'Pod' })).toEqual([])
  })

  test('leaves out the token of the API server and volumes the proxy does not mount', async () => {
    const cluster = fakeCluster()
    const inject = cluster.store.admit
    cluster.store.admit = (object) => {
      const made = inject(object)
      const { containers, volumes, ...spec } = made.spec as {
        containers: { volumeMounts: unknown[] }[]
        volumes: unknown[]
      }
      const mount = { name: 'kube-api-access-x', mountPath: '/var/run/secrets' }
      const [proxy] = containers
      return {
        ...made,
        spec: {
          ...spec,
          containers: [{ ...proxy, volumeMounts: [...(proxy?.volumeMounts ?? []), mount] }],
          volumes: [...volumes, { name: 'kube-api-access-x' }, { name: 'unused' }],
        },
      }
    }
    const { container, volumes } = await proxyTemplate(cluster.ports, at, undefined)
    const names = [...(container.volumeMounts ?? []), ...volumes].map(({ name }) => name)
    expect(names.filter((name) => name === 'unused' || name.startsWith('kube-api-access'))).toEqual([])
    expect(names).toContain('istio-token')
  })

  test.each<[string, () => Promise<FakeCluster>, string]>([
    ['a new cluster', async () => fakeCluster(), 'default'],
    ['an installed one', installedCluster, 'kube-registry-node'],
  ])('is asked for on %s in namespace %s', async (_, make, place) => {
    const cluster = await make()
    const asked: KubeObject[] = []
    const inject = cluster.store.admit
    cluster.store.admit = (object) => {
      asked.push(object)
      return inject(object)
    }
    await proxyTemplate(cluster.ports, at, 'canary')
    expect(asked).toHaveLength(1)
    expect(asked[0]?.metadata).toMatchObject({ namespace: place, labels: { 'istio.io/rev': 'canary' } })
  })

  test.each([undefined, 'auto'])('is none with image %s', async (image) => {
    const cluster = fakeCluster()
    cluster.store.admit = (object) => ({ ...object, spec: { containers: [{ name: 'istio-proxy', image }] } })
    await expect(proxyTemplate(cluster.ports, at, undefined)).rejects.toEqual(failure('NOT_INJECTED', 3))
  })

  test('is an error where nothing injects, with the revisions there are', async () => {
    const cluster = fakeCluster()
    cluster.store.put(istiod('canary', 'docker.io/istio/pilot:1.32.0'))
    cluster.mesh.injects = false
    const failed = proxyTemplate(cluster.ports, at, 'stable')
    await expect(failed).rejects.toEqual(
      failure('NOT_INJECTED', 3, 'into a pod of revision "stable" (namespace "default")'),
    )
    await expect(failed).rejects.toMatchObject({
      suggestions: ['regctl up --revision default', 'regctl up --revision canary'],
    })
  })
})

describe('domains', () => {
  const template = (args: string[], trust?: string) => ({
    container: { name: 'istio-proxy', args, env: trust === undefined ? [] : [{ name: 'TRUST_DOMAIN', value: trust }] },
    volumes: [],
  })
  test.each([
    [['proxy', '--domain', '$(POD_NAMESPACE).svc.example.org'], 'example.org'],
    [['proxy', '--domain', 'odd'], 'cluster.local'],
    [['proxy'], 'cluster.local'],
  ])('%j', (args, domain) => expect(clusterDomainOf(template(args))).toBe(domain))

  test('of trust come from the proxy too', async () => {
    expect(trustDomainOf(template([], 'mesh.example'))).toBe('mesh.example')
    expect(trustDomainOf(template([]))).toBe('cluster.local')
    const cluster = fakeCluster()
    cluster.mesh.trustDomain = 'mesh.example'
    expect(await meshTrustDomain(cluster.ports, at, undefined)).toBe('mesh.example')
  })
})

describe('facts', () => {
  test('of a mesh as most are', async () => {
    const { proxy, ...facts } = await meshFacts(fakeCluster().ports, 'kube-registry', {})
    expect(facts).toEqual({
      istioVersion: '1.31.0',
      authority: { host: 'istiod.istio-system.svc', port: 15_012 },
      connectionSettings: true,
      cni: false,
      ambient: false,
      clusterDomain: 'cluster.local',
      admissionPolicies: true,
      mutationApi: 'admissionregistration.k8s.io/v1',
      trustDomain: 'cluster.local',
    })
    expect(proxy.container.name).toBe('istio-proxy')
  })

  test.each([
    ['istio-cni-node', true, false],
    ['ztunnel', false, true],
    ['other', false, false],
  ])('of a cluster with DaemonSet %s and without admission policies', async (name, cni, ambient) => {
    const cluster = fakeCluster()
    cluster.store.put({ apiVersion: 'apps/v1', kind: 'DaemonSet', metadata: { name, namespace: 'istio-system' } })
    cluster.kube.without = ['ValidatingAdmissionPolicy']
    expect(await meshFacts(cluster.ports, 'kube-registry', {})).toMatchObject({
      cni,
      ambient,
      admissionPolicies: false,
    })
  })

  test.each([
    ['1.31.0', true],
    ['1.40.1', true],
    ['2.0.0', true],
    ['1.30.9', false],
    ['unknown', false],
  ])('Istio %s has connectionSettings: %s', async (istioVersion, expected) => {
    const facts = await meshFacts(fakeCluster().ports, 'kube-registry', { istioVersion })
    expect([facts.istioVersion, facts.connectionSettings]).toEqual([istioVersion, expected])
  })

  test('go by the revision that is used', async () => {
    const cluster = fakeCluster()
    cluster.store.put(istiod('canary', 'docker.io/istio/pilot:1.30.0'))
    const version = async (revision?: string) =>
      (await meshFacts(cluster.ports, 'kube-registry', revision === undefined ? {} : { revision })).istioVersion
    expect(await version()).toBe('1.31.0')
    expect(await version('canary')).toBe('1.30.0')
    expect(await version('a-tag')).toBe('1.31.0')
  })
})
