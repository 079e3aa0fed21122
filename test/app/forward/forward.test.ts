import { once } from 'node:events'
import http from 'node:http'
import net, { type AddressInfo } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { containers } from '../../../src/adapters/forward/containers.ts'
import { listeners } from '../../../src/adapters/forward/listeners.ts'
import { detach, listForwards, stopForwards } from '../../../src/app/forward/background.ts'
import { Forward } from '../../../src/app/forward/forward.ts'
import { planForward } from '../../../src/app/forward/plan.ts'
import { serve, serveCommand } from '../../../src/app/forward/serve.ts'
import type { ForwardInput } from '../../../src/app/forward/way.ts'
import type { Found } from '../../../src/domain/forward/forward-report.ts'
import type { Daemons, ForwardPorts, ForwardRecord, PodTarget, TransportNews } from '../../../src/ports/forward.ts'
import { fakeCluster, installedCluster } from '../../fakes/cluster.ts'
import { failure } from '../failure.ts'

const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

async function registry(): Promise<number> {
  const server = http.createServer((_request, response) => response.end('the registry'))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  closing.push(() => {
    server.closeAllConnections()
    server.close()
  })
  return (server.address() as AddressInfo).port
}

async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

type Opened = { readonly by: 'kubectl' | 'websocket'; readonly target: PodTarget; closed: boolean }

const unreachable = () => Promise.reject(new Error('not scripted'))
const unreachableMesh = { dial: unreachable, greet: unreachable, certify: unreachable, secure: unreachable }

/** The real loopback, a stand-in for what is behind it. */
async function workstation(
  cluster = fakeCluster(),
  { kubectl = true, news: first }: { kubectl?: boolean; news?: TransportNews } = {},
) {
  const behind = await registry()
  const opened: Opened[] = []
  const commands: { readonly argv: readonly string[]; readonly env: Readonly<Record<string, string>> }[] = []
  let news: (news: TransportNews) => void = () => {}
  const open = (by: Opened['by']) => (target: PodTarget, tell: (news: TransportNews) => void) => {
    const one: Opened = { by, target, closed: false }
    opened.push(one)
    news = tell
    queueMicrotask(() => tell(first ?? { ready: true, detail: `${by} to pod a` }))
    return {
      mode: 'port-forward' as const,
      connect: async () => net.connect(behind, '127.0.0.1'),
      close: async () => {
        one.closed = true
      },
    }
  }
  const records: ForwardRecord[] = []
  const stopped: ForwardRecord[] = []
  const daemons: Daemons = {
    list: async () => records,
    start: () => Promise.reject(new Error('not scripted')),
    enlist: async () => async () => {},
    stop: async (record) => {
      stopped.push(record)
      return record.pid !== 0
    },
  }
  const ports: ForwardPorts & { daemons: Daemons } = {
    ...cluster.ports,
    listeners,
    daemons,
    accounts: { namespace: 'default', mine: async () => [], token: () => Promise.reject(new Error('not scripted')) },
    mesh: unreachableMesh,
    containers,
    forwards: { kubectlFound: async () => kubectl, kubectl: open('kubectl'), webSockets: open('websocket') },
    programs: {
      run: async () => undefined,
      askSocket: async () => undefined,
      attach: async (argv, { env }) => {
        commands.push({ argv, env })
        return 7
      },
    },
  }
  return { cluster, ports, opened, commands, records, stopped, tell: (one: TransportNews) => news(one) }
}

const input = (more: Partial<ForwardInput> = {}): ForwardInput => ({
  namespace: 'kube-registry',
  mode: 'auto',
  transport: 'auto',
  version: '1',
  ...more,
})
const noShow = () => () => {}

test('the port is the registry’s own', async () => {
  const { ports, opened } = await workstation(await installedCluster({ port: 5555 }))
  const plan = await planForward(ports, input())
  expect(plan).toMatchObject({ port: 5555, way: { mode: 'port-forward', port: 5555 } })
  expect((await planForward(ports, input({ port: 6000 }))).port).toBe(6000)
  expect(opened).toEqual([])
})

test.each([
  ['auto', true, 'kubectl'],
  ['auto', false, 'websocket'],
  ['websocket', true, 'websocket'],
  ['kubectl', true, 'kubectl'],
] as const)('transport %s, kubectl found: %s', async (transport, kubectl, expected) => {
  const { ports, opened } = await workstation(await installedCluster(), { kubectl })
  const plan = await planForward(ports, input({ transport, port: 0 }))
  const forward = await Forward.open(ports, plan)
  await forward.close()
  expect(opened).toMatchObject([
    { by: expected, target: { namespace: 'kube-registry', selector: 'app=kube-registry', port: 5000 }, closed: true },
  ])
})

test('what is missing: a right, a registry, a loopback address', async () => {
  const cluster = await installedCluster()
  cluster.kube.may = ({ verb, subresource }) => !(verb === 'create' && subresource === 'portforward')
  const { ports } = await workstation(cluster)
  await expect(planForward(ports, input())).rejects.toEqual(failure('NO_RIGHT', 3, 'create pods/portforward'))
  const nothing = await workstation()
  await expect(planForward(nothing.ports, input())).rejects.toEqual(failure('NOT_INSTALLED', 3))
  await expect(planForward(ports, input({ addresses: ['127.0.0.1', '10.0.0.1'] }))).rejects.toEqual(
    failure('NOT_LOOPBACK', 2, '10.0.0.1'),
  )
})

test('a forward carries requests and tells how it is', async () => {
  const { ports, tell } = await workstation(await installedCluster())
  const forward = await Forward.open(ports, await planForward(ports, input({ port: 0 })))
  closing.push(() => forward.close())
  expect(await forward.ready(1_000)).toBe(true)
  const { port } = forward.report
  expect(await (await fetch(`http://localhost:${port}/v2/`)).text()).toBe('the registry')
  // By the registry's own name too, out of a virtual machine.
  const asked = http.get({ host: '127.0.0.1', port, agent: false, headers: { host: 'localhost:5000' } })
  const [response] = (await once(asked, 'response')) as [http.IncomingMessage]
  response.resume()
  expect(response.statusCode).toBe(200)
  tell({ ready: false, detail: 'no registry pod is ready' })
  expect(await forward.ready(50)).toBe(false)
  expect(forward.report).toMatchObject({ state: 'waiting', detail: 'no registry pod is ready', reconnects: 0 })
  tell({ ready: true, detail: 'kubectl to pod b', reconnected: true })
  expect(forward.report).toMatchObject({ state: 'ready', reconnects: 1, connections: { total: 2 } })
})

test('a command runs with the registry in its environment, and its exit code is ours', async () => {
  const { ports, opened, commands } = await workstation(await installedCluster())
  const port = await freePort()
  const served = await serveCommand(ports, input({ port }), ['make', 'push'], false)
  expect(served).toMatchObject({ exitCode: 7, reused: false })
  expect(commands).toEqual([
    { argv: ['make', 'push'], env: { REGCTL_REGISTRY: `localhost:${port}`, REGCTL_PORT: String(port) } },
  ])
  expect(opened).toMatchObject([{ closed: true }])
})

test('a registry that does not come: what may help, and nothing that a developer may not run', async () => {
  const news = { ready: false, detail: 'no way', suggestions: ['find one'] }
  const { ports, commands } = await workstation(await installedCluster(), { news })
  const served = serveCommand(ports, input({ port: await freePort() }), ['x'], false, 50)
  await expect(served).rejects.toMatchObject({
    code: 'NOT_READY',
    message: expect.stringContaining('no way'),
    suggestions: ['find one', 'ask whoever may: regctl status --namespace kube-registry'],
  })
  expect(commands).toEqual([])
})

test('a second one uses the first; one that leads elsewhere is in the way', async () => {
  const cluster = await installedCluster()
  const first = await workstation(cluster)
  const port = await freePort()
  const forward = await Forward.open(first.ports, await planForward(first.ports, input({ port })))
  closing.push(() => forward.close())
  const second = await workstation(cluster)
  const served = await serve(second.ports, input({ port }), noShow)
  expect(served).toMatchObject({ reused: true, report: { instance: forward.report.instance } })
  expect((await serveCommand(second.ports, input({ port }), ['x'], false)).exitCode).toBe(7)
  expect(second.opened).toEqual([])
  const elsewhere = await workstation(await installedCluster())
  Object.assign(elsewhere.cluster.kube, { target: { context: 'b', server: 'https://b' } })
  const other = serve(elsewhere.ports, input({ port }), noShow)
  await expect(other).rejects.toEqual(failure('PORT_TAKEN', 4, 'context "lab"'))
  // It does not run in the background, where --stop would find it.
  await expect(other).rejects.toMatchObject({ suggestions: expect.arrayContaining([`kill ${process.pid}`]) })
})

test('it serves until the signal, and then leaves nothing', async () => {
  const { ports, cluster, opened } = await workstation(await installedCluster())
  const port = await freePort()
  const states: string[] = []
  const served = serve(ports, input({ port }), (forward) => {
    states.push(forward.report.state)
    setTimeout(() => cluster.abort.abort(), 20)
    return () => states.push('hidden')
  })
  expect((await served).report).toMatchObject({ state: 'stopped', port })
  expect(states.at(-1)).toBe('hidden')
  expect(opened).toMatchObject([{ closed: true }])
  expect(await listeners.ask('127.0.0.1', port)).toBeUndefined()
})

test('in the background: started, found by its port, ended', async () => {
  const cluster = await installedCluster()
  const behind = await workstation(cluster)
  const port = await freePort()
  const { ports } = await workstation(cluster)
  let asked: readonly string[] = []
  const daemons: Daemons = {
    ...ports.daemons,
    list: async () => [{ port, pid: 1, started: 'x', log: '/log' }],
    start: async (_port, argv) => {
      asked = argv
      const plan = await planForward(behind.ports, input({ port, log: '/log' }))
      const forward = await Forward.open(behind.ports, plan)
      closing.push(() => forward.close())
      return { log: '/log', pid: 1, ended: async () => undefined }
    },
  }
  const served = await detach({ ...ports, daemons }, input({ port }), (found) => ['regctl', JSON.stringify(found)])
  expect(served).toMatchObject({ reused: false, report: { state: 'ready', log: '/log' } })
  const { context } = ports.kube.target
  expect(JSON.parse(asked[1] ?? '')).toMatchObject({ port, context, mode: 'port-forward' })
  const record = { port, pid: 1, started: 'x', log: '/log' }
  const silent = { port: await freePort(), pid: 2, started: 'x', log: '/other' }
  const list = await listForwards(
    { daemons: { ...daemons, list: async () => [record, silent] }, listeners },
    undefined,
    port,
  )
  expect(list.forwards).toMatchObject([{ port }])
  expect(list.silent).toEqual([silent])
})

test('in the background, beaten by another start: done once our own has given up', async () => {
  const cluster = await installedCluster()
  const behind = await workstation(cluster)
  const port = await freePort()
  const { ports, clock } = { ...(await workstation(cluster)), clock: cluster.clock }
  let over: string | undefined
  const daemons: Daemons = {
    ...ports.daemons,
    list: async () => [{ port, pid: 1, started: 'x', log: '/log' }],
    start: async () => {
      const forward = await Forward.open(behind.ports, await planForward(behind.ports, input({ port, log: '/log' })))
      closing.push(() => forward.close())
      return { log: '/log', pid: 2, ended: async () => over }
    },
  }
  const started = clock.now()
  clock.after(3_000, () => {
    over = 'served already'
  })
  expect(await detach({ ...ports, daemons }, input({ port }), () => [])).toMatchObject({ reused: true })
  expect(clock.now() - started).toBeGreaterThanOrEqual(3_000)
})

test('in the background on any free port: one that is its own over restarts, and another where it is taken', async () => {
  const cluster = await installedCluster()
  const [behind, { ports }] = [await workstation(cluster), await workstation(cluster)]
  const records: ForwardRecord[] = []
  const asked: Found[] = []
  const started: number[] = []
  const daemons: Daemons = {
    ...ports.daemons,
    list: async () => records,
    start: async (port) => {
      started.push(port)
      if (started.length === 1) return { log: '/log', pid: 1, ended: async () => 'Error: it is\nCode: PORT_TAKEN' }
      const forward = await Forward.open(behind.ports, await planForward(behind.ports, input({ port, log: '/log' })))
      closing.push(() => forward.close())
      records.push({ port, pid: 2, started: 'x', log: '/log' })
      return { log: '/log', pid: 2, ended: async () => undefined }
    },
  }
  const served = await detach({ ...ports, daemons }, input({ port: 0 }), (found) => {
    asked.push(found)
    return []
  })
  expect(served).toMatchObject({ reused: false, report: { state: 'ready', port: started[1] } })
  expect(asked).toMatchObject(started.map((port) => ({ port, context: ports.kube.target.context })))
  expect(started).toEqual([expect.any(Number), expect.any(Number)])
  expect(started).not.toContain(0)
})

test('what ended before it served says why', async () => {
  const { ports } = await workstation(await installedCluster())
  const daemons: Daemons = {
    ...ports.daemons,
    start: async () => ({ log: '/log', pid: 1, ended: async () => '2026 starting\nError: no room\nCode: X' }),
  }
  const started = detach({ ...ports, daemons }, input({ port: await freePort() }), () => [])
  await expect(started).rejects.toEqual(failure('DETACH_FAILED', 5, 'ended: no room'))
})

test('stop ends the one that is meant, and tells of those that were there', async () => {
  const { ports, records, stopped } = await workstation()
  records.push(
    { port: 5000, pid: 1, started: 'x', log: '' },
    { port: 5001, pid: 2, started: 'x', log: '' },
    { port: 5002, pid: 0, started: 'x', log: '' },
  )
  expect(await stopForwards(ports, 5001)).toEqual([{ port: 5001, pid: 2 }])
  expect(stopped.map(({ port }) => port)).toEqual([5001])
  expect(await stopForwards(ports)).toEqual([
    { port: 5000, pid: 1 },
    { port: 5001, pid: 2 },
  ])
})
