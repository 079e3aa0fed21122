import { describe, expect, test } from 'vitest'
import { grantDeveloper } from '../../../src/app/grant/developer.ts'
import { doctor, type Finding } from '../../../src/app/inspect/doctor.ts'
import { clusterError } from '../../../src/errors.ts'
import { grantFrom } from '../../domain/at.ts'
import { type FakeCluster, fakeCluster, installedCluster, istiod, namespace, pod } from '../../fakes/cluster.ts'
import { grantIn } from '../grant/granted.ts'

const examine = ({ ports }: FakeCluster, namespace = 'kube-registry') => doctor(ports, namespace)
const ofLevel = (findings: readonly Finding[], level: Finding['level']) =>
  findings.filter((finding) => finding.level === level).map(({ what }) => what)

describe('a healthy installation', () => {
  test('has findings that are in order and notes of what nothing can stop', async () => {
    const cluster = await installedCluster()
    const findings = await examine(cluster)
    expect(ofLevel(findings, 'problem')).toEqual([])
    expect(ofLevel(findings, 'ok')).toEqual([
      'Kubernetes v1.36.0, Istio 1.31.0',
      'rights, storage and the host port are as up needs them',
      'the registry, every node proxy and every policy are in force',
    ])
    expect(ofLevel(findings, 'note')).toEqual([
      expect.stringContaining('may live 2160h (90 days, the default)'),
      expect.stringContaining("a host process on a node's port 5000"),
    ])
  })

  test('is only read, and nothing is said on the way', async () => {
    const cluster = await installedCluster()
    cluster.kube.gitVersion = 'v1.99.0'
    const findings = await examine(cluster)
    expect(ofLevel(findings, 'note')[0]).toMatch(/^Kubernetes v1.99.0 is newer/)
    expect(cluster.kube.writes).toEqual([])
    expect([cluster.report.warnings, cluster.report.infos, cluster.report.steps]).toEqual([[], [], []])
  })
})

describe('before anything is installed', () => {
  test('the cluster is examined alone', async () => {
    const findings = await examine(fakeCluster())
    expect(findings.at(-1)).toEqual({
      level: 'note',
      what: 'no registry is installed in namespace "kube-registry"',
      fix: 'regctl up',
    })
    expect(ofLevel(findings, 'ok')).toHaveLength(2)
  })

  test('what up would refuse is a problem with its way out', async () => {
    const cluster = fakeCluster()
    cluster.store.put(pod('default', 'other', { spec: { containers: [{ name: 'a', ports: [{ hostPort: 5000 }] }] } }))
    expect(await examine(cluster)).toContainEqual({
      level: 'problem',
      what: 'host port 5000 is claimed by pod default/other',
      fix: 'regctl up --port 5001',
    })
    const other = await examine(await installedCluster(), 'images')
    expect(other[0]).toMatchObject({ level: 'problem', fix: 'regctl up --namespace kube-registry' })
  })

  test('a problem without a way out has no fix', async () => {
    const cluster = fakeCluster()
    cluster.kube.gitVersion = 'v1.28.0'
    const problem = (await examine(cluster)).find(({ level }) => level === 'problem')
    expect(problem).toEqual({ level: 'problem', what: expect.stringContaining('v1.28.0 has no native sidecars') })
  })

  test('a mesh without injection is one', async () => {
    const cluster = fakeCluster()
    cluster.mesh.injects = false
    expect(ofLevel(await examine(cluster), 'problem')).toEqual([
      expect.stringContaining('Istio did not inject a proxy'),
    ])
  })
})

describe('problems', () => {
  test('drift is named, object by object', async () => {
    const cluster = await installedCluster()
    cluster.store.remove({ apiVersion: 'v1', kind: 'Service', namespace: 'kube-registry', name: 'kube-registry' })
    expect(await examine(cluster)).toContainEqual({
      level: 'problem',
      what: 'not as regctl left it: Service kube-registry/kube-registry',
      fix: 'regctl up --dry-run, then regctl up',
    })
  })

  test('those of status are among them', async () => {
    const cluster = await installedCluster()
    cluster.store.put({ apiVersion: 'v1', kind: 'Node', metadata: { name: 'node3' } })
    const findings = await examine(cluster)
    expect(ofLevel(findings, 'problem')).toEqual(['node node3 has no ready proxy, so it cannot pull'])
    expect(ofLevel(findings, 'ok')).not.toContain('the registry, every node proxy and every policy are in force')
  })

  test('an istiod that is down does not hide the rest', async () => {
    const cluster = await installedCluster()
    cluster.store.put({ apiVersion: 'v1', kind: 'Node', metadata: { name: 'node3' } })
    cluster.kube.turn = ({ verb, what }) => {
      if (verb === 'create' && what.startsWith('Pod ')) throw clusterError('CLUSTER_REFUSED', 'failed calling webhook')
    }
    expect(new Set(ofLevel(await examine(cluster), 'problem'))).toEqual(
      new Set(['failed calling webhook', 'node node3 has no ready proxy, so it cannot pull']),
    )
  })

  test('a foreign ALLOW that reaches the registry is one, a foreign filter or RequestAuthentication a note', async () => {
    const cluster = await installedCluster()
    const metadata = { name: 'theirs', namespace: 'istio-system' }
    cluster.store.put({
      apiVersion: 'security.istio.io/v1',
      kind: 'AuthorizationPolicy',
      metadata,
      spec: { rules: [] },
    })
    cluster.store.put({ apiVersion: 'networking.istio.io/v1alpha3', kind: 'EnvoyFilter', metadata, spec: {} })
    const rules = [{ issuer: 'https://issuer', audiences: [], fromHeaders: [] }]
    const tokens = { apiVersion: 'security.istio.io/v1', kind: 'RequestAuthentication', metadata }
    cluster.store.put({ ...tokens, spec: { jwtRules: rules } })
    const findings = await examine(cluster)
    expect(ofLevel(findings, 'problem')).toEqual([
      expect.stringMatching(/^AuthorizationPolicy istio-system\/theirs allows requests to the registry/),
    ])
    expect(ofLevel(findings, 'note')[0]).toMatch(/^EnvoyFilter istio-system\/theirs changes/)
    expect(ofLevel(findings, 'note')[1]).toMatch(/^RequestAuthentication istio-system\/theirs has tokens checked/)
  })

  test('a bug is not a finding', async () => {
    const cluster = await installedCluster()
    cluster.kube.may = () => {
      throw new TypeError('bug')
    }
    await expect(examine(cluster)).rejects.toThrow(TypeError)
  })
})

test('who may step into the registry, the nodes’ proxies and the builders is noted', async () => {
  const cluster = await installedCluster()
  await grantIn(cluster, 'ci', 'team')
  await grantIn(cluster, 'ci', 'other')
  const rbac = { apiVersion: 'rbac.authorization.k8s.io/v1', metadata: { name: 'step-in' } }
  const rules = [{ apiGroups: [''], resources: ['pods/exec'], verbs: ['create'] }]
  cluster.store.put({ ...rbac, kind: 'ClusterRole', rules })
  const subjects = [{ kind: 'Group', name: 'admins' }]
  cluster.store.put({
    ...rbac,
    kind: 'ClusterRoleBinding',
    roleRef: { kind: 'ClusterRole', name: 'step-in' },
    subjects,
  })
  expect(ofLevel(await examine(cluster), 'note').slice(0, 3)).toEqual([
    'pods/exec in kube-registry: group admins',
    'pods/exec in kube-registry-node: group admins',
    'pods/exec in ci: group admins',
  ])
})

test('istiod’s longest certificate is its own setting', async () => {
  const cluster = await installedCluster()
  const env = [{ name: 'MAX_WORKLOAD_CERT_TTL', value: '24h' }]
  const containers = [{ name: 'discovery', image: 'docker.io/istio/pilot:1.31.0', env }]
  cluster.store.put({ ...istiod('default', ''), spec: { template: { spec: { containers } } } })
  expect(ofLevel(await examine(cluster), 'note')[0]).toContain('may live 24h,')
})

describe("a developer's account", () => {
  const granted = async () => {
    const cluster = await installedCluster({ developerIngress: true, developerIngressType: 'ClusterIP' })
    cluster.store.put(namespace('team'))
    const wanted = { ...grantFrom('team/dev app'), developer: 'user:ada' }
    await grantDeveloper(cluster.ports, 'kube-registry', wanted, { forward: true, timeoutMs: 30_000 })
    return cluster
  }

  test("is in order while it is nobody else's", async () => {
    expect(ofLevel(await examine(await granted()), 'problem')).toEqual([])
  })

  test('that a pod runs as, or RBAC binds, is a problem', async () => {
    const cluster = await granted()
    cluster.store.put(pod('team', 'web', { spec: { serviceAccountName: 'dev', containers: [] } }))
    const problem = { level: 'problem', what: 'service account team/dev is for user:ada alone: pod web runs as it' }
    expect(await examine(cluster)).toContainEqual({ ...problem, fix: 'kubectl delete pod -n team web' })
    cluster.store.remove({ apiVersion: 'v1', kind: 'Pod', namespace: 'team', name: 'web' })
    cluster.store.put({
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'RoleBinding',
      metadata: { namespace: 'team', name: 'late' },
      roleRef: { kind: 'ClusterRole', name: 'view' },
      subjects: [{ kind: 'Group', name: 'system:serviceaccounts:team' }],
    })
    expect(ofLevel(await examine(cluster), 'problem')).toEqual([
      'service account team/dev is for user:ada alone: RoleBinding team/late gives it rights',
    ])
  })

  test('comes with who may forward ports to the gateway', async () => {
    const cluster = await granted()
    expect(ofLevel(await examine(cluster), 'note')).toContainEqual(
      'pods/portforward in kube-registry-ingress: user ada',
    )
  })
})
