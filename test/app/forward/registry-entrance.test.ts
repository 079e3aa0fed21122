import type { Duplex } from 'node:stream'
import { expect, test } from 'vitest'
import { installedCluster } from '../../fakes/cluster.ts'
import { access, publish } from '../../fakes/fake-mesh-access.ts'
import { opened, workstation } from './workstation.ts'

const { signal } = new AbortController()
const GATEWAY = '10.0.0.1:15443'
const [ONE, OTHER] = ['10.0.0.1:31443', '10.0.0.2:31443'] as const

async function machineWith(registryAddresses: readonly string[]) {
  const machine = workstation(await installedCluster())
  publish(machine.cluster, access([GATEWAY], registryAddresses))
  return machine
}

const reached = async (machine: Awaited<ReturnType<typeof machineWith>>) => {
  const { transport, told } = await opened(machine)
  return { transport, told, detail: (await told(({ ready }) => ready)).detail }
}

test('the registry is reached by its own address, the authority by the gateway', async () => {
  const machine = await machineWith([ONE])
  const { transport, detail } = await reached(machine)
  expect(detail).toContain(`through the registry's own address ${ONE},`)
  await transport.connect(signal)
  expect(machine.mesh.dialled.at(-1)).toBe(ONE)
  expect(machine.mesh.dialled).toContain(GATEWAY)
})

test.each([
  ['nobody is', 'dead'],
  ['somebody else is', 'foreign'],
] as const)('where %s, another one serves, or the gateway', async (_, kind) => {
  const machine = await machineWith([ONE, OTHER])
  machine.mesh[kind].add(ONE)
  expect((await reached(machine)).detail).toContain(`own address ${OTHER}`)
  const without = await machineWith([ONE])
  without.mesh[kind].add(ONE)
  expect((await reached(without)).detail).toContain(`through gateway ${GATEWAY}`)
})

test('a gateway that was asked for is the only way', async () => {
  const machine = await machineWith([ONE])
  const { told } = await opened(machine, { gateway: '192.0.2.1:443' })
  expect((await told(({ ready }) => ready)).detail).toContain('through gateway 192.0.2.1:443')
  expect(machine.mesh.dialled).not.toContain(ONE)
})

test('an address that a firewall swallows holds nobody up', async () => {
  const machine = await machineWith([ONE])
  const { dial } = machine.mesh
  machine.mesh.dial = (address: string, limit = signal): Promise<Duplex> =>
    address === ONE
      ? new Promise((_resolve, reject) => {
          if (limit.aborted) reject(limit.reason)
          limit.addEventListener('abort', () => reject(limit.reason), { once: true })
        })
      : dial.call(machine.mesh, address)
  const before = machine.clock.now()
  const { transport, detail } = await reached(machine)
  expect(detail).toContain(`through gateway ${GATEWAY}`)
  await transport.connect(signal)
  expect(machine.clock.now() - before).toBeLessThan(2_000)
})

test('when it goes the gateway serves, and it is found again', async () => {
  const machine = await machineWith([ONE])
  const { transport } = await reached(machine)
  machine.mesh.dead.add(ONE)
  await transport.connect(signal)
  expect(machine.mesh.dialled.at(-1)).toBe(GATEWAY)
  machine.mesh.dead.clear()
  await machine.clock.sleep(2_000, signal)
  await transport.connect(signal)
  expect(machine.mesh.dialled.at(-1)).toBe(ONE)
})

test('an address that moved is found by what is published', async () => {
  const machine = await machineWith([ONE])
  const { transport } = await reached(machine)
  machine.mesh.foreign.add(ONE)
  publish(machine.cluster, access([GATEWAY], [OTHER]))
  await machine.clock.sleep(3_000, signal)
  await transport.connect(signal)
  await machine.clock.sleep(60_000, signal)
  await transport.connect(signal)
  expect(machine.mesh.dialled.at(-1)).toBe(OTHER)
})
