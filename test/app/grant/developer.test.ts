import { describe, expect, test } from 'vitest'
import { grantDeveloper } from '../../../src/app/grant/developer.ts'
import { readGrants } from '../../../src/app/grant/grants.ts'
import { type RevokeSelection, revoke } from '../../../src/app/grant/revoke.ts'
import type { KubeObject } from '../../../src/domain/kube-object.ts'
import { grantKey } from '../../../src/domain/policy/grant.ts'
import { clusterError } from '../../../src/errors.ts'
import { at, grantFrom } from '../../domain/at.ts'
import {
  type FakeCluster,
  fakeCluster,
  forget,
  installedCluster,
  namespace,
  pod,
  serviceAccount,
} from '../../fakes/cluster.ts'
import { failure } from '../failure.ts'
import { grantNow } from './granted.ts'
import { Interleaving } from './interleaving.ts'

const RBAC = 'rbac.authorization.k8s.io/v1'

async function withTeam() {
  const cluster = await installedCluster({ developerIngress: true, developerIngressType: 'ClusterIP' })
  cluster.store.put(namespace('team'))
  return cluster
}

const give = ({ ports }: FakeCluster, text: string, options: { forward?: boolean; timeoutMs?: number } = {}) => {
  const { developer = '', ...rest } = grantFrom(text)
  return grantDeveloper(
    ports,
    'kube-registry',
    { ...rest, developer },
    { forward: false, timeoutMs: 30_000, ...options },
  )
}

const take = ({ ports }: FakeCluster, selection: Partial<RevokeSelection>) =>
  revoke(ports, 'kube-registry', { namespace: 'team', ...selection }, { now: false, timeoutMs: 30_000 })

const grants = async ({ kube }: FakeCluster) => (await readGrants(kube, at)).map(grantKey)

/** What RBAC and the accounts are, by kind, namespace and name. */
function access({ store }: FakeCluster): readonly string[] {
  const found = ['Role', 'RoleBinding'].flatMap((kind) => store.list({ apiVersion: RBAC, kind }))
  return [...found, ...store.list({ apiVersion: 'v1', kind: 'ServiceAccount' }, { namespace: 'team' })]
    .filter(({ metadata }) => metadata.namespace === 'team' || metadata.name.startsWith('regctl-developer-'))
    .map(({ kind, metadata }) => `${kind} ${metadata.namespace}/${metadata.name}`)
    .sort()
}

const only = (cluster: FakeCluster, kind: string, place: string) =>
  cluster.store
    .list({ apiVersion: RBAC, kind }, { namespace: place })
    .filter(({ metadata }) => metadata.name.startsWith('regctl-developer-'))

describe('a grant to a developer', () => {
  test('makes an account, the right to its token and to the ConfigMap, and nothing else', async () => {
    const cluster = await withTeam()
    const { grant, changed } = await give(cluster, 'team app user:ada', { forward: true })
    const account = grant.serviceAccount ?? ''
    expect(changed).toBe(true)
    expect(account).toMatch(/^developer-ada-[a-z2-9]{5}$/)
    expect(access(cluster).map((text) => text.replace(/[0-9a-f]{10}$/, 'HASH'))).toEqual([
      'Role team/regctl-developer-HASH',
      'RoleBinding kube-registry-ingress/regctl-developer-HASH',
      'RoleBinding kube-registry/regctl-developer-HASH',
      'RoleBinding team/regctl-developer-HASH',
      `ServiceAccount team/${account}`,
    ])
    expect(only(cluster, 'Role', 'team')[0]?.rules).toEqual([
      { apiGroups: [''], resources: ['serviceaccounts/token'], resourceNames: [account], verbs: ['create'] },
    ])
    const ada = [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: 'ada' }]
    for (const place of ['team', 'kube-registry', 'kube-registry-ingress'])
      expect(only(cluster, 'RoleBinding', place).map(({ subjects }) => subjects)).toEqual([ada])
  })

  test('without the right to forward gives none, and warns that the gateway has no address', async () => {
    const cluster = await withTeam()
    const { warnings } = await give(cluster, 'team app user:ada')
    expect(only(cluster, 'RoleBinding', 'kube-registry-ingress')).toEqual([])
    expect(warnings).toEqual([expect.stringContaining('--allow-gateway-forward')])
  })

  test('uses the account the developer has there already', async () => {
    const cluster = await withTeam()
    const first = await give(cluster, 'team app user:ada')
    const before = access(cluster)
    const second = await give(cluster, 'team other read user:ada')
    expect(second.grant.serviceAccount).toBe(first.grant.serviceAccount)
    expect(access(cluster)).toEqual(before)
    expect((await give(cluster, 'team group user:bob')).grant.serviceAccount).not.toBe(first.grant.serviceAccount)
    expect((await give(cluster, 'team app user:ada')).changed).toBe(false)
  })

  test('by a name of an account warns that it may have been others before, once', async () => {
    const cluster = await withTeam()
    const named = expect.stringContaining('whoever was team/dev before has this grant too')
    expect((await give(cluster, 'team/dev app user:ada')).warnings).toContainEqual(named)
    expect((await give(cluster, 'team/dev other user:ada')).warnings).not.toContainEqual(named)
  })

  test('warns of a WorkloadGroup that takes in any account', async () => {
    const cluster = await withTeam()
    for (const [name, serviceAccount] of [
      ['open', undefined],
      ['empty', ''],
      ['closed', 'vms'],
    ])
      cluster.store.put({
        apiVersion: 'networking.istio.io/v1',
        kind: 'WorkloadGroup',
        metadata: { namespace: 'team', name: name ?? '' },
        spec: { template: serviceAccount === undefined ? {} : { serviceAccount } },
      })
    const { warnings } = await give(cluster, 'team app user:ada')
    expect(warnings.filter((text) => text.startsWith('WorkloadGroup'))).toEqual([
      expect.stringMatching(/^WorkloadGroup team\/empty names no service account, so user:ada may join it/),
      expect.stringContaining('WorkloadGroup team/open'),
    ])
  })

  test('needs to see neither WorkloadGroups nor nodes nor what is in the namespaces of the gateway and of istiod', async () => {
    const cluster = await withTeam()
    cluster.kube.turn = ({ verb, what }) => {
      if (
        /^(list (WorkloadGroup|Node|Deployment|Service)|get .* (kube-registry-ingress|istio-system)\/)/.test(
          `${verb} ${what}`,
        )
      )
        throw clusterError('FORBIDDEN', 'no')
    }
    expect((await give(cluster, 'team app user:ada')).changed).toBe(true)
  })

  test.each<[string, readonly KubeObject[], string]>([
    [
      'a pod runs as',
      [pod('team', 'web', { spec: { serviceAccountName: 'dev', containers: [] } })],
      'pod web runs as it',
    ],
    [
      'RBAC binds',
      [binding('RoleBinding', { kind: 'ServiceAccount', name: 'dev', namespace: 'team' })],
      'RoleBinding team/bound gives it rights',
    ],
    [
      'RBAC binds with all of its namespace',
      [binding('ClusterRoleBinding', { kind: 'Group', name: 'system:serviceaccounts:team' })],
      'ClusterRoleBinding bound gives it rights',
    ],
  ])('refuses an account that %s', async (_, objects, why) => {
    const cluster = await withTeam()
    for (const object of objects) cluster.store.put(object)
    forget(cluster)
    await expect(give(cluster, 'team/dev app user:ada')).rejects.toEqual(failure('ACCOUNT_IN_USE', 4, why))
    expect(cluster.kube.writes).toEqual([])
  })

  test("refuses every pod's account", async () => {
    const cluster = await withTeam()
    await expect(give(cluster, 'team/default app user:ada')).rejects.toEqual(
      failure('ACCOUNT_IN_USE', 4, 'is of every pod that names no other'),
    )
  })

  test.each(Array.from({ length: 20 }, (_, seed) => seed))(
    'beside another gives one account (order %i)',
    async (seed) => {
      const cluster = await withTeam()
      const order = new Interleaving(seed)
      cluster.kube.turn = order.turn
      await order.run(['app', 'other', 'third'].map((name) => () => give(cluster, `team ${name} user:ada`)))
      cluster.kube.turn = () => {}
      const held = await readGrants(cluster.kube, at)
      expect(held.map(({ repository }) => repository).sort()).toEqual(['app', 'other', 'third'])
      expect(new Set(held.map(({ serviceAccount }) => serviceAccount)).size).toBe(1)
      expect(access(cluster)).toHaveLength(4)
      expect((await give(cluster, 'team app user:ada')).changed).toBe(false)
    },
  )

  test.each(Array.from({ length: 20 }, (_, seed) => seed))(
    'never shares a named account with one at the same time (order %i)',
    async (seed) => {
      const cluster = await withTeam()
      const order = new Interleaving(seed)
      cluster.kube.turn = order.turn
      const tried = ['user:ada', 'user:bob'].map(
        (who) => () => give(cluster, `team/dev app ${who}`).catch((error) => error),
      )
      await order.run(tried)
      cluster.kube.turn = () => {}
      const held = await readGrants(cluster.kube, at)
      expect(held.length).toBeLessThan(2)
      const whose = only(cluster, 'RoleBinding', 'team').map(({ subjects }) => subjects)
      expect(whose).toEqual(held.map(({ developer }) => [expect.objectContaining({ name: developer?.slice(5) })]))
    },
  )

  test('takes a pod that is over for no use', async () => {
    const cluster = await withTeam()
    cluster.store.put(
      pod('team', 'done', { spec: { serviceAccountName: 'dev', containers: [] }, status: { phase: 'Succeeded' } }),
    )
    expect((await give(cluster, 'team/dev app user:ada')).changed).toBe(true)
  })

  test('refuses the account of another, and a builder that of a developer', async () => {
    const cluster = await withTeam()
    cluster.store.put(serviceAccount('team', 'pusher'))
    await grantNow(cluster, 'team/pusher ci')
    await give(cluster, 'team/dev app user:ada')
    forget(cluster)
    for (const text of ['team/pusher app user:ada', 'team/dev app user:bob', 'team/dev app group:ada'])
      await expect(give(cluster, text), text).rejects.toEqual(failure('ACCOUNT_TAKEN', 4))
    await expect(grantNow(cluster, 'team/dev app')).rejects.toEqual(failure('ACCOUNT_TAKEN', 4, 'is for user:ada'))
    expect(cluster.kube.writes).toEqual([])
  })

  test("refuses istiod's namespace and the registry's own", async () => {
    const cluster = await withTeam()
    for (const name of ['kube-registry', 'kube-registry-node', 'kube-registry-ingress'])
      await expect(give(cluster, `${name} app user:ada`)).rejects.toEqual(failure('OWN_NAMESPACE', 4))
    await expect(give(cluster, 'istio-system app user:ada')).rejects.toEqual(failure('CONTROL_PLANE_NAMESPACE', 4))
    expect(access(cluster)).toEqual([])
  })

  test('needs the gateway and the namespace', async () => {
    const cluster = await installedCluster()
    cluster.store.put(namespace('team'))
    await expect(give(cluster, 'team app user:ada')).rejects.toEqual(failure('NO_DEVELOPER_INGRESS', 3))
    await expect(give(await withTeam(), 'gone app user:ada')).rejects.toEqual(failure('NO_NAMESPACE', 3))
    await expect(give(fakeCluster(), 'team app user:ada')).rejects.toMatchObject({ oclif: { exit: 3 } })
  })

  test.each(['ServiceAccount', 'Role', 'RoleBinding'])(
    'is taken back whole when its %s cannot be made',
    async (kind) => {
      const cluster = await withTeam()
      cluster.kube.turn = ({ verb, what }) => {
        if ((verb === 'apply' || verb === 'create') && what.startsWith(`${kind} `))
          throw clusterError('FORBIDDEN', 'no', { suggestions: [] })
      }
      await expect(give(cluster, 'team app user:ada')).rejects.toEqual(
        failure('FORBIDDEN', 5, 'the grant was taken back'),
      )
      expect(await grants(cluster)).toEqual([])
      expect(access(cluster)).toEqual([])
    },
  )

  test('is taken back when the proxy does not follow', async () => {
    const cluster = await withTeam()
    cluster.mesh.freeze()
    await expect(give(cluster, 'team app user:ada', { timeoutMs: 1000 })).rejects.toEqual(failure('NOT_PROVEN', 5))
    expect([await grants(cluster), access(cluster)]).toEqual([[], []])
  })

  test('leaves what somebody else named alike alone', async () => {
    const cluster = await withTeam()
    await give(cluster, 'team/dev app user:ada')
    const [role] = only(cluster, 'Role', 'team')
    await take(cluster, { repository: 'app' })
    cluster.store.put({ ...(role as KubeObject), metadata: { name: role?.metadata.name ?? '', namespace: 'team' } })
    await expect(give(cluster, 'team/dev app user:ada')).rejects.toEqual(failure('NOT_OURS', 5))
    expect(access(cluster)).toHaveLength(1)
  })
})

describe('a revoke', () => {
  test('takes the rights and the account with the last grant, and not before', async () => {
    const cluster = await withTeam()
    await give(cluster, 'team app user:ada')
    await give(cluster, 'team other user:ada')
    const all = access(cluster)
    await take(cluster, { repository: 'app', developer: 'user:ada' })
    expect(access(cluster)).toEqual(all)
    await take(cluster, { developer: 'user:ada' })
    expect(access(cluster)).toEqual([])
  })

  test("leaves other developers' rights, and accounts it did not make", async () => {
    const cluster = await withTeam()
    cluster.store.put(serviceAccount('team', 'dev'))
    await give(cluster, 'team/dev app user:ada')
    await give(cluster, 'team/bob app user:bob')
    await take(cluster, { developer: 'user:ada' })
    expect(access(cluster).filter((text) => text.startsWith('ServiceAccount'))).toEqual([
      'ServiceAccount team/bob',
      'ServiceAccount team/dev',
    ])
    expect(only(cluster, 'Role', 'team')).toHaveLength(1)
  })

  test('that comes after one that was interrupted takes what that left', async () => {
    const cluster = await withTeam()
    await give(cluster, 'team app user:ada', { forward: true })
    cluster.kube.turn = ({ verb, what }) => {
      if (verb === 'remove' && what.startsWith('ServiceAccount')) throw clusterError('GONE', 'the line is cut')
    }
    await expect(take(cluster, { repository: 'app' })).rejects.toEqual(failure('GONE', 5))
    expect(access(cluster)).not.toEqual([])
    cluster.kube.turn = () => {}
    expect((await take(cluster, { repository: 'app', developer: 'user:ada' })).revoked).toEqual([])
    expect(access(cluster)).toEqual([])
  })

  test('of a developer asks nothing of the listener and the labels of builders', async () => {
    const cluster = await withTeam()
    await give(cluster, 'team app user:ada')
    const asked: string[] = []
    cluster.kube.turn = ({ verb, what }) => void asked.push(`${verb} ${what}`)
    await take(cluster, { repository: 'app' })
    expect(asked.filter((what) => /Sidecar|patch Namespace/.test(what))).toEqual([])
  })

  test('of a builder asks nothing of RBAC', async () => {
    const cluster = await withTeam()
    await grantNow(cluster, 'team ci')
    const asked: string[] = []
    cluster.kube.turn = ({ what }) => void asked.push(what)
    await take(cluster, { repository: 'ci' })
    expect(asked.filter((what) => /Role/.test(what))).toEqual([])
  })

  test.each(['ServiceAccount team', 'Role team', 'RoleBinding team', 'RoleBinding kube-registry'])(
    'leaves a grant its rights that comes before it removes %s',
    async (first) => {
      const cluster = await withTeam()
      await give(cluster, 'team/dev app user:ada', { forward: true })
      const whole = access(cluster)
      let comes = true
      cluster.kube.turn = async ({ verb, what }) => {
        if (!comes || verb !== 'remove' || !what.startsWith(`${first}/`)) return
        comes = false
        await give(cluster, 'team/dev other user:ada')
      }
      await take(cluster, { repository: 'app', developer: 'user:ada' })
      expect(comes).toBe(false)
      expect(await grants(cluster)).toEqual(['team dev other subtree write user:ada'])
      expect(access(cluster)).toEqual(whole)
      expect(only(cluster, 'Role', 'team')[0]?.metadata.ownerReferences).toHaveLength(1)
    },
  )
})

function binding(kind: 'RoleBinding' | 'ClusterRoleBinding', subject: object): KubeObject {
  return {
    apiVersion: RBAC,
    kind,
    metadata: { name: 'bound', ...(kind === 'RoleBinding' ? { namespace: 'team' } : {}) },
    roleRef: { kind: 'ClusterRole', name: 'view' },
    subjects: [subject],
  }
}
