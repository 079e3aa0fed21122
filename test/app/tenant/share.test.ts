import { describe, expect, test } from 'vitest'
import { readGrants } from '../../../src/app/grant/grants.ts'
import { revoke } from '../../../src/app/grant/revoke.ts'
import { doctor } from '../../../src/app/inspect/doctor.ts'
import { status } from '../../../src/app/inspect/status.ts'
import { uninstall } from '../../../src/app/install/uninstall.ts'
import { listTenants } from '../../../src/app/tenant/list.ts'
import { changeTenants } from '../../../src/app/tenant/state.ts'
import { at } from '../../domain/at.ts'
import { forget, pod, up } from '../../fakes/cluster.ts'
import { grantIn } from '../grant/granted.ts'
import { Interleaving } from '../grant/interleaving.ts'
import { add, drop, left, reads, refusal, shareWith, told, unshareFrom, withNamespaces } from './kit.ts'

describe('share', () => {
  test('opens the repository and what is below to that namespace’s builders, and no more', async () => {
    const cluster = await withNamespaces('a', 'b', 'c')
    await add(cluster, 'a b c')
    expect(await shareWith(cluster, 'a/base', 'b')).toMatchObject({ changed: true, warnings: [], provenIn: 1 })
    expect(await shareWith(cluster, 'a/base', 'b')).toMatchObject({ changed: false })
    const seen = ['a/base', 'a/base/x', 'a/base2', 'a/app'].map((repository) => reads(cluster, 'b', repository))
    expect(seen).toEqual([true, true, false, false])
    expect(reads(cluster, 'c', 'a/base')).toBe(false)
    expect(await unshareFrom(cluster, 'a/base', 'b')).toMatchObject({ changed: true })
    expect(await unshareFrom(cluster, 'a/base', 'b')).toMatchObject({ changed: false })
    expect(reads(cluster, 'b', 'a/base')).toBe(false)
  })

  test('names what still stands and who runs on', async () => {
    const cluster = await withNamespaces('a', 'b')
    await add(cluster, 'a')
    await shareWith(cluster, 'a', 'b')
    await shareWith(cluster, 'a/base', 'b')
    cluster.store.put(pod('b', 'user', { spec: { containers: [{ name: 'c', image: 'localhost:5000/a/base:1' }] } }))
    expect((await unshareFrom(cluster, 'a/base', 'b')).warnings).toEqual([
      'a/base is still shared with b, by a share of a repository above it',
      'pods of b run on until they are replaced: user',
    ])
  })

  test('is for a tenant’s repository, with somebody else who is there', async () => {
    const cluster = await withNamespaces('a', 'b')
    expect(await refusal(shareWith(cluster, 'a/base', 'b'))).toMatchObject({ code: 'NO_TENANT', oclif: { exit: 3 } })
    await add(cluster, 'a', {})
    expect(await refusal(shareWith(cluster, 'a/base', 'a'))).toMatchObject({ code: 'OWN_REPOSITORY' })
    expect(await refusal(shareWith(cluster, 'a/base', 'x'))).toMatchObject({ code: 'NO_NAMESPACE' })
    expect((await shareWith(cluster, 'a/base', 'b')).warnings[0]).toContain('tenant a is public')
  })

  test('is refused where admission could not tell them apart any more', async () => {
    const cluster = await withNamespaces('a', 'b')
    await add(cluster, 'a')
    const repositories = Array.from({ length: 500 }, (_, index) => `a/${'x'.repeat(190)}${index}`)
    await changeTenants(cluster.kube, at, (state) => ({
      ...state,
      shares: repositories.slice(0, 480).map((repository) => ({ repository, namespace: 'b', uid: 'u' })),
    }))
    const more = changeTenants(cluster.kube, at, (state) => ({
      ...state,
      shares: repositories.map((repository) => ({ repository, namespace: 'b', uid: 'u' })),
    }))
    expect(await refusal(more)).toMatchObject({ code: 'TOO_MANY_TENANTS', oclif: { exit: 4 } })
  })

  test('of several at once none is lost', async () => {
    for (const seed of [1, 2, 3, 4]) {
      const cluster = await withNamespaces('a', 'b', 'c')
      await add(cluster, 'a b')
      const order = new Interleaving(seed)
      cluster.kube.turn = order.turn
      await order.run([
        () => shareWith(cluster, 'a/x', 'b'),
        () => shareWith(cluster, 'a/y', 'b'),
        () => shareWith(cluster, 'b/z', 'c'),
      ])
      cluster.kube.turn = () => {}
      expect((await told(cluster)).slice(2).sort(), `seed ${seed}`).toEqual(['a/x with b', 'a/y with b', 'b/z with c'])
      expect([reads(cluster, 'b', 'a/x'), reads(cluster, 'b', 'a/y'), reads(cluster, 'b', 'a/z')]).toEqual([
        true,
        true,
        false,
      ])
    }
  })
})

describe('the rest of regctl', () => {
  test('remove ends shares and the grant it made, and leaves one that was there before', async () => {
    const cluster = await withNamespaces('a', 'b')
    await grantIn(cluster, 'b', 'b')
    await add(cluster, 'a b')
    await shareWith(cluster, 'a/base', 'b')
    expect(await drop(cluster, 'a')).toMatchObject({
      removed: [{ namespace: 'a' }],
      shares: [{ repository: 'a/base' }],
    })
    await drop(cluster, 'b')
    expect((await readGrants(cluster.kube, at)).map(({ repository }) => repository)).toEqual(['b'])
    expect(left(cluster)).toEqual([])
    expect(await drop(cluster, 'a')).toMatchObject({ removed: [], none: ['a'] })
  })

  test('a revoke of an accepted grant ends its reads', async () => {
    const cluster = await withNamespaces('a', 'b')
    await grantIn(cluster, 'b', 'a/x')
    await grantIn(cluster, 'b', 'b')
    await add(cluster, 'a', { private: true, accept: true })
    expect(reads(cluster, 'b', 'a/x')).toBe(true)
    await revoke(
      cluster.ports,
      'kube-registry',
      { namespace: 'b', repository: 'a/x' },
      { now: false, timeoutMs: 30_000 },
    )
    expect([reads(cluster, 'b', 'a/x'), reads(cluster, 'b', 'b')]).toEqual([false, true])
  })

  test('up keeps tenants, says nothing changed, and puts back what is gone', async () => {
    const cluster = await withNamespaces('a', 'b')
    await add(cluster, 'a b')
    const before = left(cluster)
    expect((await up(cluster)).changed).toEqual([])
    cluster.store.remove({
      apiVersion: 'security.istio.io/v1',
      kind: 'AuthorizationPolicy',
      namespace: 'kube-registry',
      name: 'private-a',
    })
    const { problems } = await status(cluster.ports, 'kube-registry')
    expect(problems.map(({ what }) => what)).toEqual([
      'AuthorizationPolicy kube-registry/private-a, which keeps tenants apart, is not as it should be',
      expect.stringContaining("b does not read what is a's"),
    ])
    await up(cluster)
    expect(left(cluster)).toEqual(before)
    expect((await status(cluster.ports, 'kube-registry')).problems).toEqual([])
  })

  test('status and list tell them, doctor has nothing against them', async () => {
    const cluster = await withNamespaces('a', 'b')
    await add(cluster, 'a')
    await add(cluster, 'b', {})
    const { tenants, problems } = await status(cluster.ports, 'kube-registry')
    expect([tenants.map((tenant) => tenant.private), problems]).toEqual([[true, false], []])
    const { exempt } = await listTenants(cluster.ports, 'kube-registry')
    expect(exempt).toEqual([
      'kube-system',
      'istio-system',
      'kube-registry',
      'kube-registry-node',
      'kube-registry-ingress',
      'kube-registry-expose',
    ])
    const findings = await doctor(cluster.ports, 'kube-registry')
    expect(findings.filter(({ level }) => level === 'problem')).toEqual([])
    expect(findings.map(({ what }) => what)).toContainEqual(
      expect.stringMatching(/open to whoever may make pods in kube-system, istio-system,/),
    )
    cluster.store.remove({ apiVersion: 'v1', kind: 'Namespace', name: 'a' })
    const gone = await status(cluster.ports, 'kube-registry')
    expect(gone.problems.map(({ what }) => what)).toContain('the namespace of tenant a is gone')
  })

  test('down takes all of it', async () => {
    const cluster = await withNamespaces('a', 'b')
    await add(cluster, 'a b')
    forget(cluster)
    await uninstall(cluster.ports, 'kube-registry', { deleteData: false, timeoutMs: 60_000 })
    expect(left(cluster)).toEqual([])
  })
})
