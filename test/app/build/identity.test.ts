import { describe, expect, test } from 'vitest'
import { type Asked, buildIdentity } from '../../../src/app/build/identity.ts'
import { grantPolicy } from '../../../src/domain/policy/grant.ts'
import { preconditionError } from '../../../src/errors.ts'
import type { Kube } from '../../../src/ports.ts'
import { at, grantFrom } from '../../domain/at.ts'
import { installedCluster, namespace, serviceAccount } from '../../fakes/cluster.ts'
import { failure } from '../failure.ts'
import { grantNow } from '../grant/granted.ts'

async function cluster(...grants: readonly string[]) {
  const made = await installedCluster()
  for (const name of ['ci', 'web']) made.store.put(namespace(name))
  made.store.put(serviceAccount('ci', 'pusher'))
  for (const one of grants) await grantNow(made, one)
  return made
}

const asked = (repository: string, more: Partial<Asked> = {}): Asked => ({
  registryNamespace: 'kube-registry',
  repository,
  ...more,
})

describe('who builds', () => {
  test.each<readonly [string, readonly string[], Asked, readonly [string, string]]>([
    ['the one namespace', ['ci example'], asked('example/app'), ['ci', 'default']],
    ['the one that may write it', ['ci example', 'web web'], asked('web'), ['web', 'default']],
    [
      'the one that is named',
      ['ci example', 'web example'],
      asked('example', { namespace: 'web' }),
      ['web', 'default'],
    ],
    ['the one service account', ['ci/pusher example'], asked('example'), ['ci', 'pusher']],
    ['the one that is named', ['ci example'], asked('example', { serviceAccount: 'pusher' }), ['ci', 'pusher']],
  ])('%s', async (_name, grants, wanted, [name, account]) => {
    const { kube } = await cluster(...grants)
    expect(await buildIdentity(kube, wanted)).toMatchObject({ namespace: name, serviceAccount: account, port: 5000 })
  })

  test("a developer's grant is for the developers' port, and builds nothing", async () => {
    const { kube, store } = await cluster()
    const developer = { ...grantFrom('ci/pusher example'), developer: 'user:ada' }
    store.put(grantPolicy(at, developer))
    await expect(buildIdentity(kube, asked('example'))).rejects.toThrow(failure('NOT_GRANTED', 3))
  })

  test('a namespace whose grant is for labelled pods gives the labels', async () => {
    const made = await cluster()
    await grantNow(made, 'ci example', { pods: { key: 'team', value: 'builders' } })
    const { kube } = made
    const { labels } = await buildIdentity(kube, asked('example'))
    expect(labels).toEqual({ team: 'builders', 'sidecar.istio.io/inject': 'true' })
  })

  test.each<readonly [string, readonly string[], Asked, string, string]>([
    ['nobody', ['ci example'], asked('other/app'), 'no namespace may push other/app', 'regctl grant NAMESPACE other'],
    [
      'not this namespace',
      ['ci example'],
      asked('example', { namespace: 'web' }),
      'namespace "web" may not push example',
      'regctl grant web example',
    ],
    [
      'a prefix that is no path',
      ['ci example'],
      asked('example2'),
      'no namespace may push',
      'regctl grant NAMESPACE example2',
    ],
    ['a reader', ['ci example read'], asked('example'), 'no namespace may push', 'regctl grant NAMESPACE example'],
    [
      'one below an exact grant',
      ['ci example exact'],
      asked('example/app'),
      'no namespace',
      'regctl grant NAMESPACE example',
    ],
    [
      'not this service account',
      ['ci/pusher example'],
      asked('example', { namespace: 'ci', serviceAccount: 'default' }),
      'service account "default" of namespace "ci"',
      'regctl grant ci example --service-account default',
    ],
  ])('%s: refused, with the grant that is missing', async (_name, grants, wanted, message, command) => {
    const { kube } = await cluster(...grants)
    const error = await buildIdentity(kube, wanted).catch((error: unknown) => error)
    expect(error).toEqual(failure('NOT_GRANTED', 3, message))
    expect((error as { suggestions: readonly string[] }).suggestions[0]).toBe(command)
  })

  test('two namespaces: which one is asked', async () => {
    const { kube } = await cluster('ci example', 'web example')
    await expect(buildIdentity(kube, asked('example'))).rejects.toThrow(failure('WHICH_NAMESPACE', 2, 'ci and web'))
  })

  test('who may not read the grants names the namespace, and the registry decides', async () => {
    const { kube } = await cluster('ci example')
    const blind = Object.assign(Object.create(kube) as Kube, {
      get: () => Promise.reject(preconditionError('FORBIDDEN', 'not allowed')),
    })
    expect(await buildIdentity(blind, asked('other', { namespace: 'ci' }))).toEqual({
      port: 5000,
      namespace: 'ci',
      serviceAccount: 'default',
      labels: {},
    })
    await expect(buildIdentity(blind, asked('other'))).rejects.toThrow(failure('FORBIDDEN', 3))
  })
})
