import type { Duplex } from 'node:stream'
import { setImmediate as turn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { Gateway } from '../../../src/app/forward/gateway.ts'
import { KnownAccess } from '../../../src/app/forward/mesh-access.ts'
import type { Issued } from '../../../src/domain/forward/identity.ts'
import { clusterError } from '../../../src/errors.ts'
import { installedCluster } from '../../fakes/cluster.ts'
import { access, publish } from '../../fakes/fake-mesh-access.ts'
import { failure } from '../failure.ts'
import { opened, workstation } from './workstation.ts'

const { signal } = new AbortController()
const unproven = { registry: { sni: 'registry', principal: 'registry' }, certificate: () => undefined }

test('a client that goes away while the gateway is looked for takes no other along', async () => {
  const machine = workstation(await installedCluster())
  publish(machine.cluster)
  const gateway = new Gateway(machine.ports, {
    namespace: 'kube-registry',
    access: new KnownAccess(machine.ports, 'kube-registry', access()),
    transport: 'auto',
    ...unproven,
  })
  const first = new AbortController()
  const [gone, stays] = [gateway.open(first.signal), gateway.open(signal)]
  first.abort()
  await expect(gone).rejects.toThrow('aborted')
  expect(await stays).toBeDefined()
  expect(machine.mesh.dialled).toHaveLength(2)
})

test('a gateway that accepts and says nothing is passed over', async () => {
  const machine = workstation(await installedCluster())
  publish(machine.cluster)
  machine.mesh.greet = (_connection?: Duplex, _authority?: unknown, limit = signal) =>
    new Promise<void>((_resolve, reject) => {
      const late = () => reject(limit.reason)
      limit.addEventListener('abort', late, { once: true })
    })
  const gateway = (address?: string) =>
    new Gateway(machine.ports, {
      namespace: 'kube-registry',
      access: new KnownAccess(machine.ports, 'kube-registry', access()),
      transport: 'auto',
      ...unproven,
      tryMs: 20,
      ...(address === undefined ? {} : { address }),
    })
  expect((await gateway().path(signal)).name).toBe('a port-forward to the gateway')
  await expect(gateway('192.0.2.1:443').path(signal)).rejects.toEqual(
    failure('GATEWAY_UNREACHABLE', 5, 'no answer from 192.0.2.1:443'),
  )
})

test.each([
  ['nobody is', 'dead'],
  ['somebody else is', 'foreign'],
] as const)('an address where %s is passed over', async (_, kind) => {
  const machine = workstation(await installedCluster())
  publish(machine.cluster, access(['10.0.0.1:1', '10.0.0.2:2', '10.0.0.3:3']))
  machine.mesh[kind].add('10.0.0.1:1')
  const { told } = await opened(machine)
  expect((await told(({ ready }) => ready)).detail).toContain('through gateway 10.0.0.2:2')
  expect(machine.forwarded).toEqual([])
})

test('without an address: a port-forward to the gateway, where that is allowed', async () => {
  const machine = workstation(await installedCluster())
  publish(machine.cluster, access([]))
  const { told } = await opened(machine)
  expect((await told(({ ready }) => ready)).detail).toContain('a port-forward to the gateway')
  expect(machine.forwarded).toMatchObject([
    { namespace: 'kube-registry-ingress', selector: 'app=registry-ingress', port: 15_443 },
  ])
  const restricted = workstation(machine.cluster)
  machine.cluster.kube.may = ({ subresource }) => subresource !== 'portforward'
  const { told: toldToo } = await opened(restricted)
  expect((await toldToo(({ ready }) => !ready)).detail).toContain('it has no address')
})

test('an address that was asked for is the only one', async () => {
  const machine = workstation(await installedCluster())
  publish(machine.cluster)
  machine.mesh.dead.add('192.0.2.1:443')
  const { told } = await opened(machine, { gateway: '192.0.2.1:443' })
  expect((await told(({ ready }) => !ready)).detail).toContain('cannot reach 192.0.2.1:443')
  expect(new Set(machine.mesh.dialled)).toEqual(new Set(['192.0.2.1:443']))
  expect(machine.forwarded).toEqual([])
})

test('a gateway that moved is found by what is published, long before a renewal', async () => {
  const machine = workstation(await installedCluster())
  publish(machine.cluster)
  const { transport, told } = await opened(machine)
  await told(({ ready }) => ready)
  const [started, { certified }] = [machine.clock.now(), machine.mesh]
  machine.mesh.dead.add('10.0.0.1:15443')
  machine.cluster.kube.may = ({ subresource }) => subresource !== 'portforward'
  const waiting = transport.connect(signal)
  await told(({ ready }) => !ready)
  publish(machine.cluster, access(['10.0.0.9:15443']))
  await waiting
  expect((await told(({ reconnected }) => reconnected === true)).detail).toContain('through gateway 10.0.0.9:15443')
  expect(machine.clock.now() - started).toBeLessThan(60_000)
  expect(machine.mesh.certified).toBe(certified)
})

test('somebody else has the address of a gateway that moved', async () => {
  const machine = workstation(await installedCluster())
  publish(machine.cluster)
  const { transport, told } = await opened(machine)
  await told(({ ready }) => ready)
  publish(machine.cluster, access(['10.0.0.9:15443']))
  machine.mesh.foreign.add('10.0.0.1:15443')
  await transport.connect(signal)
  expect(machine.mesh.dialled.at(-1)).toBe('10.0.0.9:15443')
})

test('the cluster is asked ever less often while nothing new is published', async () => {
  const machine = workstation(await installedCluster())
  publish(machine.cluster)
  const { transport, told } = await opened(machine, { lifetimeSeconds: 3_600 })
  await told(({ ready }) => ready)
  machine.mesh.dead.add('10.0.0.1:15443')
  machine.cluster.kube.may = ({ subresource }) => subresource !== 'portforward'
  const { get } = machine.cluster.kube
  let asked = 0
  machine.cluster.kube.get = (...args) => {
    asked += 1
    return get.apply(machine.cluster.kube, args)
  }
  const end = machine.clock.now() + 150_000
  const stop = new AbortController()
  const waiting = transport.connect(stop.signal).catch(() => {})
  while (machine.clock.now() < end) await turn()
  stop.abort()
  await waiting
  expect(asked).toBeGreaterThan(4)
  expect(asked).toBeLessThan(12)
})

test('a mesh with other roots: a certificate by those, without waiting for the renewal', async () => {
  const machine = workstation(await installedCluster())
  publish(machine.cluster)
  const { transport, told } = await opened(machine)
  await told(({ ready }) => ready)
  const roots = '-----BEGIN CERTIFICATE-----\nother\n-----END CERTIFICATE-----\n'
  const { secure } = machine.mesh
  machine.mesh.secure = async (connection, target, identity) => {
    if ((identity as Issued).roots !== roots) throw clusterError('WRONG_PEER', 'it is not of this mesh')
    return secure.call(machine.mesh, connection, target, identity)
  }
  publish(machine.cluster, { ...access(), roots })
  const started = machine.clock.now()
  await transport.connect(signal)
  expect(machine.clock.now() - started).toBeLessThan(60_000)
  expect(machine.mesh.secured.at(-1)).toMatchObject({ roots, certificateChain: 'chain 2' })
})

test("the gateway restarts while the mesh's authority is away: the registry shows that it is the gateway", async () => {
  const machine = workstation(await installedCluster())
  publish(machine.cluster)
  const { transport, told } = await opened(machine)
  await told(({ ready }) => ready)
  machine.cluster.kube.may = ({ subresource }) => subresource !== 'portforward'
  machine.mesh.authority = 'away'
  machine.mesh.dead.add('10.0.0.1:15443')
  const waiting = transport.connect(signal)
  await told(({ ready }) => !ready)
  machine.mesh.dead.clear()
  await waiting
  await told(({ reconnected }) => reconnected === true)
})
