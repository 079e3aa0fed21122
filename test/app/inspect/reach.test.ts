import { describe, expect, test } from 'vitest'
import { foreignReach, longestCertificate, podAccess } from '../../../src/app/inspect/reach.ts'
import type { KubeObject } from '../../../src/domain/kube-object.ts'
import { at } from '../../domain/at.ts'
import { fakeCluster, installedCluster, istiod } from '../../fakes/cluster.ts'

const policy = (place: string, spec: Readonly<Record<string, unknown>>): KubeObject => ({
  apiVersion: 'security.istio.io/v1',
  kind: 'AuthorizationPolicy',
  metadata: { name: 'theirs', namespace: place },
  spec,
})

const filter = (place: string, spec: Readonly<Record<string, unknown>>): KubeObject => ({
  ...policy(place, spec),
  apiVersion: 'networking.istio.io/v1alpha3',
  kind: 'EnvoyFilter',
})

async function reach(object: KubeObject) {
  const { ports, store } = await installedCluster()
  store.put(object)
  return foreignReach(ports, at, 'istio-system')
}

const selector = (labels: Readonly<Record<string, string>>) => ({ selector: { matchLabels: labels } })

describe('an ALLOW policy of somebody else', () => {
  test.each<[string, KubeObject, boolean]>([
    ['in the root namespace, for all', policy('istio-system', { action: 'ALLOW' }), true],
    ['there without an action, which is ALLOW', policy('istio-system', {}), true],
    ['in the registry’s namespace, for all', policy('kube-registry', { action: 'ALLOW' }), true],
    ['for the registry by name', policy('kube-registry', selector({ app: 'kube-registry' })), true],
    [
      'by a label every injected pod has',
      policy('istio-system', selector({ 'sidecar.istio.io/inject': 'true' })),
      true,
    ],
    ['for another application', policy('istio-system', selector({ app: 'other' })), false],
    [
      'for the registry and a label it has not',
      policy('istio-system', selector({ app: 'kube-registry', x: 'y' })),
      false,
    ],
    ['for a gateway', policy('istio-system', { targetRefs: [{ kind: 'Gateway', name: 'x' }] }), false],
    ['in another namespace', policy('default', { action: 'ALLOW' }), false],
    ['in the node proxies’ namespace', policy('kube-registry-node', { action: 'ALLOW' }), false],
    ['that denies', policy('istio-system', { action: 'DENY' }), false],
    ['that audits', policy('istio-system', { action: 'AUDIT' }), false],
  ])('%s', async (_, object, reaches) => {
    const { namespace, name } = object.metadata
    expect((await reach(object)).allows).toEqual(reaches ? [`AuthorizationPolicy ${namespace}/${name}`] : [])
  })

  test('is found before any pod runs', async () => {
    const { ports, store } = fakeCluster()
    store.put(policy('istio-system', selector({ app: 'kube-registry' })))
    expect((await foreignReach(ports, at, 'istio-system')).allows).toHaveLength(1)
  })
})

describe('an EnvoyFilter of somebody else', () => {
  test.each<[string, KubeObject, boolean]>([
    ['in the root namespace, for all', filter('istio-system', {}), true],
    ['on the registry', filter('kube-registry', { workloadSelector: { labels: { app: 'kube-registry' } } }), true],
    [
      'on the node proxies',
      filter('kube-registry-node', { workloadSelector: { labels: { app: 'registry-node' } } }),
      true,
    ],
    ['on others', filter('kube-registry', { workloadSelector: { labels: { app: 'other' } } }), false],
    ['elsewhere', filter('default', {}), false],
  ])('%s', async (_, object, reaches) => {
    const { namespace, name } = object.metadata
    expect((await reach(object)).filters).toEqual(reaches ? [`EnvoyFilter ${namespace}/${name}`] : [])
  })
})

test('one pod with the label is enough, as while a version replaces another', async () => {
  const { ports, store } = await installedCluster()
  const [pod] = store.list({ apiVersion: 'v1', kind: 'Pod' }, { namespace: 'kube-registry' })
  const metadata = { name: 'next', namespace: 'kube-registry', labels: { app: 'kube-registry', version: '2' } }
  store.put({ ...(pod as KubeObject), metadata })
  store.put(policy('istio-system', selector({ version: '2' })))
  expect((await foreignReach(ports, at, 'istio-system')).allows).toHaveLength(1)
})

test('our own are not named', async () => {
  expect(await foreignReach((await installedCluster()).ports, at, 'istio-system')).toEqual({
    allows: [],
    filters: [],
    tokens: [],
  })
})

test('who may step into pods, by namespace and right', async () => {
  const { ports, store } = fakeCluster()
  const rbac = (kind: string, place: string | undefined, more: Readonly<Record<string, unknown>>): KubeObject => ({
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind,
    metadata: { name: 'step-in', ...(place === undefined ? {} : { namespace: place }) },
    ...more,
  })
  const rules = (resource: string) => ({ rules: [{ apiGroups: [''], resources: [resource], verbs: ['create'] }] })
  const bound = (kind: string, name: string) => ({
    roleRef: { kind, name: 'step-in' },
    subjects: [{ kind: 'User', name }],
  })
  store.put(rbac('ClusterRole', undefined, rules('pods/exec')))
  store.put(rbac('ClusterRoleBinding', undefined, bound('ClusterRole', 'admin')))
  store.put(rbac('Role', 'ci', rules('pods/portforward')))
  store.put(rbac('RoleBinding', 'ci', bound('Role', 'dev')))
  expect(await podAccess(ports, ['kube-registry', 'ci'])).toEqual([
    { namespace: 'kube-registry', right: 'pods/exec', subjects: ['user admin'] },
    { namespace: 'kube-registry', right: 'pods/portforward', subjects: [] },
    { namespace: 'ci', right: 'pods/exec', subjects: ['user admin'] },
    { namespace: 'ci', right: 'pods/portforward', subjects: ['user dev'] },
  ])
})

test('how long a certificate lives', () => {
  const deployment = istiod('default', 'pilot')
  expect(longestCertificate(undefined)).toMatch(/^2160h/)
  expect(longestCertificate(deployment)).toMatch(/^2160h/)
  const env = [{ name: 'MAX_WORKLOAD_CERT_TTL', value: '24h' }]
  const spec = { template: { spec: { containers: [{ name: 'discovery', env }] } } }
  expect(longestCertificate({ ...deployment, spec })).toBe('24h')
})
