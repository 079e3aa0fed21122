import { describe, expect, test } from 'vitest'
import { readGrants } from '../../../src/app/grant/grants.ts'
import { status } from '../../../src/app/inspect/status.ts'
import { checkPrivate } from '../../../src/app/tenant/guard.ts'
import { readTenants } from '../../../src/app/tenant/state.ts'
import { externalPolicy } from '../../../src/domain/external/grant.ts'
import { exposePrincipal, exposurePolicy } from '../../../src/domain/policy/exposure.ts'
import { grantKey } from '../../../src/domain/policy/grant.ts'
import { at } from '../../domain/at.ts'
import { type FakeCluster, forget, namespace, pod } from '../../fakes/cluster.ts'
import { grantIn, grantNow } from '../grant/granted.ts'
import { Interleaving } from '../grant/interleaving.ts'
import { add, drop, left, reads, refusal, shareWith, told, withNamespaces } from './kit.ts'

const grants = async ({ kube }: FakeCluster) => (await readGrants(kube, at)).map(grantKey)

const uses = async (adding: Promise<unknown>) => {
  const error = await refusal(adding)
  expect(error).toMatchObject({ code: 'TENANT_USED', oclif: { exit: 4 } })
  return (error.details as { uses: { object: string; why: string }[] }).uses.map(
    ({ object, why }) => `${object}: ${why}`,
  )
}

const image = (reference: string) => ({ spec: { containers: [{ name: 'app', image: reference }] } })

describe('a private tenant', () => {
  test('is kept apart at the proxy and at admission, and nothing is left undone', async () => {
    const cluster = await withNamespaces('a', 'b')
    await grantIn(cluster, 'b', 'b')
    expect(reads(cluster, 'b', 'a')).toBe(true)
    const result = await add(cluster, 'a')
    expect(result).toMatchObject({
      tenants: [{ namespace: 'a', private: true, changed: true }],
      accepted: [],
      provenIn: 1,
    })
    expect(await grants(cluster)).toEqual(['a * a subtree write', 'b * b subtree write'])
    expect([reads(cluster, 'a', 'a/x'), reads(cluster, 'b', 'a/x'), reads(cluster, 'b', 'ab')]).toEqual([
      true,
      false,
      true,
    ])
    expect(left(cluster)).toEqual([
      'ConfigMap tenants',
      'AuthorizationPolicy private-a',
      'EnvoyFilter no-mounts',
      ...['ValidatingAdmissionPolicy', 'ValidatingAdmissionPolicyBinding'].flatMap((kind) =>
        ['images', 'images-workloads', 'node-loopback', 'node-loopback-workloads'].map(
          (what) => `${kind} regctl-${what}-kube-registry`,
        ),
      ),
    ])
    expect(cluster.report.steps).toEqual([
      'Apply the policies',
      'Prepare the namespaces',
      "Prove them in the registry's proxy",
      'Prove them in admission',
    ])
  })

  test('a second time changes nothing', async () => {
    const cluster = await withNamespaces('a')
    await add(cluster, 'a')
    const before = await cluster.kube.get({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      namespace: 'kube-registry',
      name: 'tenants',
    })
    forget(cluster)
    const result = await add(cluster, 'a', {})
    expect(result.tenants).toEqual([{ namespace: 'a', private: true, changed: false }])
    expect(
      await cluster.kube.get({ apiVersion: 'v1', kind: 'ConfigMap', namespace: 'kube-registry', name: 'tenants' }),
    ).toEqual(before)
    expect(cluster.kube.writes.filter((write) => /private-|no-mounts|Validating/.test(write))).toEqual([])
  })

  test('becomes public again, and what kept it apart goes with the last', async () => {
    const cluster = await withNamespaces('a', 'b')
    await add(cluster, 'a b')
    expect(reads(cluster, 'b', 'a')).toBe(false)
    await add(cluster, 'a', { private: false })
    expect([reads(cluster, 'b', 'a'), reads(cluster, 'a', 'b')]).toEqual([true, false])
    await add(cluster, 'b', { private: false })
    expect(left(cluster)).toEqual(['ConfigMap tenants'])
  })

  test('is pushed to by one account where one is named', async () => {
    const cluster = await withNamespaces('a')
    cluster.store.put({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'pusher', namespace: 'a' } })
    await add(cluster, 'a', { private: true, serviceAccount: 'pusher' })
    expect(await grants(cluster)).toEqual(['a pusher a subtree write'])
    cluster.store.put({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'other', namespace: 'a' } })
    expect(await refusal(add(cluster, 'a', { serviceAccount: 'other' }))).toMatchObject({ code: 'TENANT_ACCOUNT' })
    await drop(cluster, 'a')
    expect(await grants(cluster)).toEqual([])
  })
})

describe('what stands against it', () => {
  test('is named and refused, and nothing is written', async () => {
    const cluster = await withNamespaces('a', 'b', 'c')
    await grantIn(cluster, 'b', 'a/x')
    await grantIn(cluster, 'c', 'a/y exact read')
    cluster.store.put(pod('b', 'own', image('localhost:5000/b/app')))
    cluster.store.put(pod('b', 'user', image('127.0.0.1:5000/a/app:1')))
    cluster.store.put(pod('b', 'other', image('LOCALHOST:5000/b/app')))
    cluster.store.put(pod('b', 'over', { ...image('localhost:5000/a/app'), status: { phase: 'Succeeded' } }))
    cluster.store.put(pod('a', 'mine', image('localhost:5000/a/app')))
    cluster.store.put(pod('c', 'host', { spec: { hostNetwork: true, containers: [] } }))
    cluster.store.put(pod('kube-system', 'proxy', { spec: { hostNetwork: true, containers: [] } }))
    forget(cluster)
    expect(await uses(add(cluster, 'a'))).toEqual([
      'b * a/x subtree write: namespace b may push a/x',
      'c * a/y exact read: namespace c may read a/y',
      expect.stringContaining('b/other: image "LOCALHOST:5000/b/app" is no way to name the registry'),
      'b/user: image "127.0.0.1:5000/a/app:1" belongs to tenant a',
      "c/host: hostNetwork reaches the node's loopback",
    ])
    expect(cluster.kube.writes).toEqual([])
    // A public one takes nobody's reads away.
    expect(await uses(add(cluster, 'a', {}))).toEqual(['b * a/x subtree write: namespace b may push a/x'])
  })

  test('of those outside: what is exposed by name, and whoever may push by a token', async () => {
    const cluster = await withNamespaces('a')
    const principals = [exposePrincipal(at)]
    for (const [host, repositories] of [
      ['all.example.org', []],
      ['a.example.org', ['a/x', 'team/y']],
    ] as const)
      cluster.store.put(exposurePolicy(at, { host, repositories, way: 'secret', principals }))
    const outside = { issuer: 'https://i', subject: 's', audience: 'x', repository: 'a/x', exact: false }
    cluster.store.put(externalPolicy(at, outside, exposePrincipal(at)))
    expect(await uses(add(cluster, 'a'))).toEqual([
      'a.example.org a/x: a/x is exposed as a.example.org',
      's a/x: s of https://i may push a/x',
    ])
    expect(await uses(add(cluster, 'a', {}))).toEqual(['s a/x: s of https://i may push a/x'])
    await add(cluster, 'a', { private: true, accept: true })
    const { kube } = cluster
    expect(await refusal(checkPrivate(kube, at, ['team/x', 'a/y']))).toMatchObject({ code: 'TENANT_REPOSITORY' })
    await checkPrivate(kube, at, ['team/x'])
  })

  test('accepted it stays as it is, and no more', async () => {
    const cluster = await withNamespaces('a', 'b', 'c')
    await grantIn(cluster, 'b', 'a/x')
    cluster.store.put(pod('c', 'host', { spec: { hostNetwork: true, containers: [] } }))
    const { accepted } = await add(cluster, 'a', { private: true, accept: true })
    expect(accepted.map(({ object }) => object)).toEqual(['b * a/x subtree write', 'c/host'])
    expect([reads(cluster, 'b', 'a/x/y'), reads(cluster, 'b', 'a/z')]).toEqual([true, false])
    expect((await readTenants(cluster.kube, at)).exempt).toEqual(['c'])
  })

  test('status shows what was accepted of grants, exposures and tokens, until the tenant is public', async () => {
    const cluster = await withNamespaces('a', 'b')
    await grantIn(cluster, 'b', 'a/x')
    await grantIn(cluster, 'b', 'team')
    const principals = [exposePrincipal(at)]
    cluster.store.put(exposurePolicy(at, { host: 'a.example.org', repositories: ['a/x'], way: 'secret', principals }))
    const outside = { issuer: 'https://i', subject: 's', audience: 'x', repository: 'a/x', exact: false }
    cluster.store.put(externalPolicy(at, outside, exposePrincipal(at)))
    await add(cluster, 'a', { private: true, accept: true })
    const accepted = async () => (await status(cluster.ports, 'kube-registry')).accepted.map(({ why }) => why)
    expect(await accepted()).toEqual([
      'namespace b may push a/x',
      'a/x is exposed as a.example.org',
      's of https://i may push a/x',
    ])
    await add(cluster, 'a', { private: false })
    expect(await accepted()).toEqual([])
  })

  test('a share settles a read, so a public tenant can be made private', async () => {
    const cluster = await withNamespaces('a', 'b')
    cluster.store.put(pod('b', 'user', image('localhost:5000/a/base:1')))
    await add(cluster, 'a', {})
    expect(await uses(add(cluster, 'a'))).toEqual([expect.stringContaining('b/user')])
    await shareWith(cluster, 'a/base', 'b')
    await add(cluster, 'a')
    expect(await told(cluster)).toEqual(['a private', 'a/base with b'])
  })

  test('is looked for again when admission refuses, because pods come at any time', async () => {
    const cluster = await withNamespaces('a', 'b')
    cluster.kube.turn = ({ what }) => {
      if (what === 'EnvoyFilter kube-registry/no-mounts')
        cluster.store.put(pod('b', 'late', image('localhost:5000/a/x')))
    }
    expect(await refusal(add(cluster, 'a'))).toMatchObject({
      code: 'TENANT_USED',
      message: expect.stringContaining('b/late'),
    })
    expect([await told(cluster), left(cluster), await grants(cluster)]).toEqual([[], [], []])
  })
})

describe('refused', () => {
  test('the registry’s own namespaces, and one that does not exist', async () => {
    const cluster = await withNamespaces('a')
    for (const name of ['kube-registry', 'kube-registry-ports-web'])
      expect(await refusal(add(cluster, name))).toMatchObject({ code: 'OWN_NAMESPACE' })
    expect(await refusal(add(cluster, 'a nowhere'))).toMatchObject({ code: 'NO_NAMESPACE' })
    expect(left(cluster)).toEqual([])
  })

  test('private without admission policies', async () => {
    const cluster = await withNamespaces('a')
    cluster.kube.without = ['ValidatingAdmissionPolicy', 'ValidatingAdmissionPolicyBinding']
    expect(await refusal(add(cluster, 'a'))).toMatchObject({ code: 'NO_ADMISSION_POLICY', oclif: { exit: 3 } })
    await add(cluster, 'a', {})
    expect(await told(cluster)).toEqual(['a public'])
  })

  test('a grant in a tenant’s repositories to somebody else', async () => {
    const cluster = await withNamespaces('a', 'b')
    await add(cluster, 'a', {})
    expect(await refusal(grantNow(cluster, 'b a/x'))).toMatchObject({
      code: 'TENANT_REPOSITORY',
      oclif: { exit: 4 },
      suggestions: expect.arrayContaining([expect.stringContaining('regctl share a/x --with b')]),
    })
    await grantNow(cluster, 'a a/x exact')
    await grantNow(cluster, 'b ab')
    expect(await grants(cluster)).toHaveLength(3)
  })
})

describe('taken back', () => {
  test('when the proxy refuses the filter', async () => {
    const cluster = await withNamespaces('a')
    const name = cluster.store.list({ apiVersion: 'v1', kind: 'Pod' }, { labelSelector: 'app=kube-registry' })[0]
      ?.metadata.name
    cluster.mesh.rejected.set(name ?? '', [{ listener: 'virtualInbound', details: 'bad regex' }])
    expect(await refusal(add(cluster, 'a'))).toMatchObject({
      code: 'NOT_PROVEN',
      message: expect.stringMatching(/refused an update .*bad regex.*taken back/),
    })
    expect([await told(cluster), left(cluster), await grants(cluster)]).toEqual([[], [], []])
  })

  test('when admission does not refuse, and a tenant that was public stays so', async () => {
    const cluster = await withNamespaces('a', 'b')
    await add(cluster, 'a', {})
    const admit = cluster.store.admit
    cluster.store.admit = (object) => {
      try {
        return admit(object)
      } catch {
        return object
      }
    }
    expect(await refusal(add(cluster, 'a'))).toMatchObject({ code: 'ADMISSION_NOT_PROVEN' })
    expect(await told(cluster)).toEqual(['a public'])
    expect(await grants(cluster)).toEqual(['a * a subtree write'])
    expect(left(cluster)).toEqual(['ConfigMap tenants'])
  })
})

test('several at once, and grants beside them: none is lost', async () => {
  for (const seed of [1, 2, 3, 4, 5, 6]) {
    const cluster = await withNamespaces('a', 'b', 'c', 'd')
    await add(cluster, 'd')
    const order = new Interleaving(seed)
    cluster.kube.turn = order.turn
    await order.run([
      () => add(cluster, 'a'),
      () => add(cluster, 'b', {}),
      () => grantNow(cluster, 'c site'),
      () => drop(cluster, 'd'),
    ])
    cluster.kube.turn = () => {}
    expect(await told(cluster), `seed ${seed}`).toEqual(['a private', 'b public'])
    expect(await grants(cluster), `seed ${seed}`).toHaveLength(3)
    expect([
      reads(cluster, 'a', 'a'),
      reads(cluster, 'b', 'a'),
      reads(cluster, 'c', 'a'),
      reads(cluster, 'c', 'd'),
    ]).toEqual([true, false, false, true])
    expect(left(cluster)).toContain('EnvoyFilter no-mounts')
    expect(left(cluster)).not.toContain('AuthorizationPolicy private-d')
  }
})

test('the last that goes and the first that comes do not miss each other', async () => {
  for (const seed of [1, 2, 3, 4, 5, 6, 7, 8]) {
    const cluster = await withNamespaces('a', 'b')
    await add(cluster, 'a')
    const order = new Interleaving(seed)
    cluster.kube.turn = order.turn
    await order.run([() => drop(cluster, 'a'), () => add(cluster, 'b')])
    cluster.kube.turn = () => {}
    expect(await told(cluster), `seed ${seed}`).toEqual(['b private'])
    expect(left(cluster)).toHaveLength(11)
  }
})

test('a namesake that was made anew takes the images over only when it is added', async () => {
  const cluster = await withNamespaces('a', 'b')
  await add(cluster, 'a')
  cluster.store.remove({ apiVersion: 'v1', kind: 'Namespace', name: 'a' })
  cluster.store.put(namespace('a'))
  const before = (await readTenants(cluster.kube, at)).tenants[0]?.uid
  expect(await grants(cluster)).toEqual([])
  await add(cluster, 'a', {})
  expect((await readTenants(cluster.kube, at)).tenants[0]?.uid).not.toBe(before)
  expect(await told(cluster)).toEqual(['a private'])
})
