import { setImmediate as turn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { planForward } from '../../../src/app/forward/plan.ts'
import { accessObject, accessOf } from '../../../src/domain/stack/developer-access.ts'
import { preconditionError } from '../../../src/errors.ts'
import type { TransportNews } from '../../../src/ports/forward.ts'
import { fakeCluster, installedCluster } from '../../fakes/cluster.ts'
import { ACCOUNT, access, PRINCIPAL, publish } from '../../fakes/fake-mesh-access.ts'
import { failure } from '../failure.ts'
import { closing, input, opened, unused, workstation } from './workstation.ts'

const { signal } = new AbortController()

test('auto is mesh mode where a developer may be somebody', async () => {
  const machine = workstation(await installedCluster())
  publish(machine.cluster)
  const plan = await planForward(machine.ports, input())
  expect(plan).toMatchObject({ port: 5000, leads: { mode: 'mesh', identity: 'team/developer-ada-1' } })
})

test('a mode that was found stays, whatever is lost later', async () => {
  const machine = workstation(await installedCluster())
  publish(machine.cluster)
  const news: TransportNews[] = []
  const listener = { port: 1, addresses: [], traffic: unused as never, close: async () => {} }
  const ports = { ...machine.ports, listeners: { ...machine.ports.listeners, listen: async () => listener } }
  const { way } = await planForward(ports, input({ lifetimeSeconds: 60 }))
  const options = { port: 0, addresses: [], optional: [], names: unused as never, report: unused as never }
  const { close } = await way.serve(options, (one) => news.push(one))
  closing(close)
  while (!news.some(({ ready }) => ready)) await turn()
  machine.accounts.token = () => Promise.reject(preconditionError('FORBIDDEN', 'not allowed to create a token'))
  machine.mesh.registry = 'away'
  const end = machine.clock.now() + 600_000
  while (machine.clock.now() < end) await turn()
  expect(news.at(-1)).toMatchObject({ ready: false, detail: expect.stringContaining('may not, or no longer, be') })
  expect(machine.forwarded).toEqual([])
})

test.each([
  ['nobody may be found', true],
  ['there is no way in', false],
])('auto is port-forward mode where %s', async (_, wayIn) => {
  const machine = workstation(await installedCluster())
  if (wayIn) publish(machine.cluster)
  machine.accounts.accounts = []
  expect((await planForward(machine.ports, input())).leads).toMatchObject({ mode: 'port-forward' })
})

test('what a mode lacks is told, and the mode that has it', async () => {
  const machine = workstation(await installedCluster())
  publish(machine.cluster)
  machine.cluster.kube.may = ({ subresource }) => subresource !== 'portforward'
  const asked = planForward(machine.ports, input({ mode: 'port-forward' }))
  await expect(asked).rejects.toEqual(failure('NO_RIGHT', 3, 'create pods/portforward'))
  await expect(asked).rejects.toMatchObject({ suggestions: expect.arrayContaining(['regctl dev-forward --mode mesh']) })
  machine.accounts.accounts = []
  const neither = planForward(machine.ports, input())
  await expect(neither).rejects.toEqual(failure('NO_RIGHT', 3, 'may become no service account'))
  await expect(neither).rejects.toEqual(failure('NO_RIGHT', 3, 'create pods/portforward'))
  machine.cluster.kube.may = () => true
  await expect(planForward(machine.ports, input({ mode: 'mesh' }))).rejects.toMatchObject({
    code: 'NO_IDENTITY',
    suggestions: expect.arrayContaining(['regctl dev-forward --mode port-forward']),
  })
})

test('of several accounts one has to be named; a named one has to be allowed', async () => {
  const machine = workstation(await installedCluster())
  publish(machine.cluster)
  machine.accounts.accounts = ['a', 'b']
  await expect(planForward(machine.ports, input())).rejects.toMatchObject({
    code: 'SEVERAL_IDENTITIES',
    suggestions: ['regctl dev-forward --identity team/a', 'regctl dev-forward --identity team/b'],
  })
  const named = input({ identity: { namespace: 'team', serviceAccount: 'b' } })
  expect((await planForward(machine.ports, named)).leads.identity).toBe('team/b')
  machine.cluster.kube.may = ({ resource }) => resource !== 'serviceaccounts'
  await expect(planForward(machine.ports, named)).rejects.toEqual(
    failure('NO_IDENTITY', 3, 'serviceaccounts/token of "b"'),
  )
})

test('the ConfigMap that may not be read', async () => {
  const machine = workstation(fakeCluster())
  machine.cluster.kube.turn = ({ what }) => {
    if (what.includes('developer-access')) throw preconditionError('FORBIDDEN', 'not allowed')
  }
  await expect(planForward(machine.ports, input({ mode: 'mesh' }))).rejects.toEqual(
    failure('NO_DEVELOPER_ACCESS', 3, 'get ConfigMap kube-registry/developer-access'),
  )
})

test('a certificate, then connections by it', async () => {
  const machine = workstation(await installedCluster())
  publish(machine.cluster)
  const { transport, told } = await opened(machine)
  const { detail } = await told(({ ready }) => ready)
  expect(detail).toContain(`mTLS as ${PRINCIPAL} through gateway 10.0.0.1:15443, certificate until `)
  const stream = await transport.connect(signal)
  expect(machine.mesh.secured.at(-1)).toMatchObject({ principal: PRINCIPAL, certificateChain: 'chain 1' })
  expect(machine.accounts.asked[0]).toBe(`${ACCOUNT.namespace}/${ACCOUNT.serviceAccount}`)
  stream.destroy()
})

test('it is renewed before half its life, and connections take the new one', async () => {
  const machine = workstation(await installedCluster())
  publish(machine.cluster)
  const started = machine.clock.now()
  const { transport, told } = await opened(machine)
  await told(({ ready }) => ready)
  while (machine.mesh.certified < 2) await turn()
  expect(machine.clock.now() - started).toBeLessThan(1_800_000)
  await turn()
  await turn()
  await transport.connect(signal)
  expect(machine.mesh.secured.at(-1)?.certificateChain).not.toBe('chain 1')
})

test('the authority is away: served until the certificate runs out, said, and well afterwards', async () => {
  const machine = workstation(await installedCluster())
  publish(machine.cluster)
  const { transport, told, news } = await opened(machine, { lifetimeSeconds: 60 })
  await told(({ ready }) => ready)
  machine.mesh.authority = 'away'
  const failing = await told(({ detail }) => detail.includes('renewal fails: istiod is away'))
  expect(failing.ready).toBe(true)
  await transport.connect(signal)
  const over = await told(({ ready }) => !ready)
  expect(over.detail).toContain('istiod is away')
  machine.mesh.authority = 'well'
  const count = news.length
  while (!news.slice(count).some(({ ready }) => ready)) await turn()
  expect(news.at(-1)).toMatchObject({ ready: true, reconnected: true })
})

test('a grant that was taken back: served until the certificate runs out, and told what to ask for', async () => {
  const machine = workstation(await installedCluster())
  publish(machine.cluster)
  const { transport, told } = await opened(machine, { lifetimeSeconds: 60 })
  await told(({ ready }) => ready)
  machine.accounts.token = () => Promise.reject(preconditionError('FORBIDDEN', 'not allowed to create a token'))
  expect((await told(({ detail }) => detail.includes('may not, or no longer, be "developer-ada-1"'))).ready).toBe(true)
  await told(({ ready }) => !ready)
  await expect(transport.connect(AbortSignal.abort())).rejects.toMatchObject({
    code: 'NO_IDENTITY',
    suggestions: expect.arrayContaining(['then start it anew: regctl dev-forward']),
  })
})

test('a clock that is set back makes no renewal late', async () => {
  const machine = workstation(await installedCluster())
  publish(machine.cluster)
  const { told } = await opened(machine)
  await told(({ ready }) => ready)
  const { now } = machine.clock
  machine.clock.now = () => now.call(machine.clock) - 86_400_000
  const until = now.call(machine.clock) + 60_000
  while (machine.mesh.certified < 2 && now.call(machine.clock) < until) await turn()
  expect(machine.mesh.certified).toBe(2)
})

test.each([
  ['no roots', { 'root-cert.pem': '' }],
  ['roots that are none', { 'root-cert.pem': 'x' }],
  ['no port', { port: '' }],
  ['a port that is none', { port: 'NaN' }],
  ['a port that cannot be', { port: '70000' }],
  ['no trust domain', { trustDomain: '' }],
  ['no authority', { authority: '' }],
])('a way in with %s is none', (_, wrong) => {
  const object = accessObject({ namespace: 'kube-registry', port: 5000, clusterDomain: 'cluster.local' }, access())
  expect(accessOf(object)).toEqual(access())
  expect(accessOf({ ...object, data: { ...(object.data as object), ...wrong } })).toBeUndefined()
})

test('of addresses only those that are some are tried', () => {
  const object = accessObject({ namespace: 'kube-registry', port: 5000, clusterDomain: 'cluster.local' }, access())
  const addresses = 'host\n10.0.0.1:0\n\u001b[2J:1\n[2001:db8::1]:15443\n10.0.0.1:99999\n'
  expect(accessOf({ ...object, data: { ...(object.data as object), addresses } })?.addresses).toEqual([
    '[2001:db8::1]:15443',
  ])
})

test("a certificate in somebody else's name is none", async () => {
  const machine = workstation(await installedCluster())
  publish(machine.cluster)
  machine.mesh.principal = 'spiffe://cluster.local/ns/team/sa/other'
  const { told } = await opened(machine)
  const { detail, suggestions } = await told(({ ready }) => !ready)
  expect(detail).toContain('sa/other", not for "')
  expect(suggestions).toEqual(['ask whoever may: regctl up --developer-ingress'])
  expect(machine.mesh.secured).toEqual([])
})

test('the registry is away: connections wait for it', async () => {
  const machine = workstation(await installedCluster())
  publish(machine.cluster)
  const { transport, told } = await opened(machine)
  await told(({ ready }) => ready)
  machine.mesh.registry = 'away'
  const waiting = transport.connect(signal)
  expect((await told(({ ready }) => !ready)).detail).toContain('no TLS with "registry"')
  machine.mesh.registry = 'well'
  await waiting
  await told(({ reconnected }) => reconnected === true)
})
