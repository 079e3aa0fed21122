import { PassThrough } from 'node:stream'
import { setImmediate as turn } from 'node:timers/promises'
import { onTestFinished } from 'vitest'
import { containers } from '../../../src/adapters/forward/containers.ts'
import { knownMesh } from '../../../src/app/forward/mesh.ts'
import type { ForwardInput } from '../../../src/app/forward/way.ts'
import type { ForwardPorts, PodTarget, Transport, TransportNews } from '../../../src/ports/forward.ts'
import type { FakeCluster } from '../../fakes/cluster.ts'
import { FakeAccounts, FakeWayIn } from '../../fakes/fake-mesh-access.ts'
import { SharedClock } from '../../fakes/shared-clock.ts'

/** Closes after the test, the last one first. A hook here would be the first file's alone: modules are loaded once for all. */
export const closing = (close: () => unknown): void => onTestFinished(async () => void (await close()))

export const unused = () => Promise.reject(new Error('not scripted'))

/** A developer's machine; its time passes when nothing else is left to do. */
export function workstation(cluster: FakeCluster) {
  const [mesh, accounts, clock] = [new FakeWayIn(), new FakeAccounts(), new SharedClock()]
  const forwarded: PodTarget[] = []
  const forward = (target: PodTarget): Transport => {
    forwarded.push(target)
    return { mode: 'port-forward', connect: async () => new PassThrough(), close: async () => {} }
  }
  const ports: ForwardPorts = {
    ...cluster.ports,
    clock,
    mesh,
    accounts,
    forwards: { kubectlFound: async () => true, kubectl: forward, webSockets: forward },
    containers,
    listeners: { listen: unused, relay: unused, holder: unused, ask: unused },
    programs: { run: unused, attach: unused, askSocket: unused },
  }
  return { cluster, ports, mesh, accounts, clock, forwarded }
}

export const input = (more: Partial<ForwardInput> = {}): ForwardInput => ({
  namespace: 'kube-registry',
  mode: 'auto',
  transport: 'auto',
  version: '1',
  ...more,
})

export async function opened({ ports }: ReturnType<typeof workstation>, more: Partial<ForwardInput> = {}) {
  const news: TransportNews[] = []
  const { open } = await knownMesh(ports, input({ mode: 'mesh', ...more }))
  const { transport } = open((one) => news.push(one))
  closing(() => transport.close())
  const told = async (that: (one: TransportNews) => boolean) => {
    for (let turns = 0; turns < 5_000; turns++) {
      const found = news.find(that)
      if (found !== undefined) return found
      await turn()
    }
    throw new Error(`not told: ${JSON.stringify(news)}`)
  }
  return { transport, news, told }
}
