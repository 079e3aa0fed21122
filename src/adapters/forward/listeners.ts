import { readdir, readFile, readlink } from 'node:fs/promises'
import net from 'node:net'
import { isReport, REPORT_PATH } from '../../domain/forward/forward-report.ts'
import { holderFromLsof, holderText, listeningSockets, type PortHolder } from '../../domain/forward/port-holder.ts'
import { conflictError, preconditionError } from '../../errors.ts'
import type { Listener, Listeners, ListenOptions } from '../../ports/forward.ts'
import { run } from '../exec.ts'
import { requestOver } from '../kube/http-over-stream.ts'
import { openListener } from './listener.ts'
import { openRelay } from './relay.ts'

const ASK_LIMIT = 2_000

export const listeners: Listeners = { listen, holder, ask, relay: openRelay }

async function listen(options: ListenOptions): Promise<Listener> {
  try {
    return await openListener(options)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EADDRINUSE') throw portTaken(options.port, await holder(options.port))
    if (code === 'EACCES')
      throw preconditionError('PORT_PRIVILEGED', `port ${options.port} needs root`, {
        suggestions: ['regctl dev-forward --port 5000'],
        cause: error,
      })
    if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND')
      throw preconditionError('NO_ADDRESS', `this machine has no address "${options.addresses.join('", "')}"`, {
        suggestions: ['regctl dev-forward'],
        cause: error,
      })
    throw error
  }
}

function portTaken(port: number, by: PortHolder | undefined) {
  const who = by === undefined ? 'another process' : holderText(by)
  return conflictError('PORT_TAKEN', `port ${port} is already taken by ${who}`, {
    suggestions: [
      ...(by?.airPlay === true
        ? ['System Settings > General > AirDrop & Handoff > AirPlay Receiver: off']
        : by?.pid === undefined
          ? []
          : [`ps -p ${by.pid}`]),
      `regctl dev-forward --port ${port + 1}`,
    ],
    details: { port, ...(by === undefined ? {} : { holder: by }) },
  })
}

async function holder(port: number): Promise<PortHolder | undefined> {
  if (process.platform === 'linux') return holderOnLinux(port)
  const found = await run(['lsof', '-nP', `-iTCP:${port}`, '-sTCP:LISTEN', '-F', 'pcu'], { timeoutMs: 5_000 })
  return found === undefined ? undefined : holderFromLsof(found.stdout)
}

async function holderOnLinux(port: number): Promise<PortHolder | undefined> {
  const tables = await Promise.all(['tcp', 'tcp6'].map((name) => readFile(`/proc/net/${name}`, 'utf8').catch(() => '')))
  const [socket] = tables.flatMap((table) => listeningSockets(table, port))
  if (socket === undefined) return undefined
  const pid = await ownerOf(`socket:[${socket.inode}]`)
  if (pid === undefined) return { uid: socket.uid }
  const command = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).replaceAll('\0', ' ').trim()
  return { pid, uid: socket.uid, ...(command === '' ? {} : { command: command.slice(0, 80) }) }
}

/** Other users' processes do not show theirs. */
async function ownerOf(socket: string): Promise<number | undefined> {
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const names = await readdir(`/proc/${pid}/fd`).catch(() => [])
    const targets = await Promise.all(names.map((name) => readlink(`/proc/${pid}/fd/${name}`).catch(() => '')))
    if (targets.includes(socket)) return Number(pid)
  }
  return undefined
}

async function ask(address: string, port: number) {
  const signal = AbortSignal.timeout(ASK_LIMIT)
  const socket = net.connect({ host: address, port })
  socket.on('error', () => {})
  try {
    const { status, body } = await requestOver(
      socket,
      { method: 'GET', path: REPORT_PATH, host: `localhost:${port}` },
      signal,
    )
    const report: unknown = status === 200 ? JSON.parse(body) : undefined
    return isReport(report) ? report : undefined
  } catch {
    // Nobody listens there, or somebody who speaks something else.
    return undefined
  } finally {
    socket.destroy()
  }
}
