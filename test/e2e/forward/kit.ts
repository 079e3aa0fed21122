import { type ChildProcess, spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import http from 'node:http'
import net from 'node:net'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { eventually, run } from '../cluster.ts'

export type Report = {
  readonly state: string
  readonly detail: string
  readonly port: number
  readonly pid: number
  readonly reconnects: number
  readonly connections: Readonly<Record<'open' | 'total' | 'refused' | 'failed', number>>
  readonly bytes: { readonly up: number; readonly down: number }
}

/** What the forward on that port says of itself; undefined where there is none. */
export async function reportOf(port: number): Promise<Report | undefined> {
  // On a connection of its own: only the first request of each is the forward's.
  const asking = http.get({ host: '127.0.0.1', port, path: '/.regctl/forward', agent: false })
  try {
    const [response] = (await once(asking, 'response')) as [http.IncomingMessage]
    let text = ''
    for await (const chunk of response) text += chunk
    return JSON.parse(text) as Report
  } catch {
    return undefined
  }
}

/** The end of the certificate it serves by. */
export const validUntil = (report?: Report): string | undefined =>
  /certificate until ([^;]*)/.exec(report?.detail ?? '')?.[1]

export async function ready(port: number, timeout = 30_000): Promise<Report> {
  return eventually(
    async () => {
      const report = await reportOf(port)
      if (report?.state !== 'ready') throw new Error(`the forward on ${port} is ${report?.state ?? 'not there'}`)
      return report
    },
    { timeout, every: 50 },
  )
}

export type Foreground = AsyncDisposable & {
  readonly process: ChildProcess
  readonly pid: number
  readonly stderr: () => string
}

/** `regctl dev-forward` in the foreground, serving. */
export async function foreground(port: number, ...flags: readonly string[]): Promise<Foreground> {
  return started(port, flags, () => ready(port))
}

/** The same, where it has nothing to serve by yet. */
export async function waiting(port: number, ...flags: readonly string[]): Promise<Foreground> {
  return started(port, flags, () =>
    eventually(
      async () => {
        const report = await reportOf(port)
        if (report?.state !== 'waiting') throw new Error(`the forward on ${port} is ${report?.state ?? 'not there'}`)
        return report
      },
      { timeout: 30_000, every: 50 },
    ),
  )
}

async function started(port: number, flags: readonly string[], settled: () => Promise<Report>): Promise<Foreground> {
  const argv = ['dev-forward', '--port', String(port), ...flags]
  const child = spawn(process.env.REGCTL_BIN ?? '', argv, { stdio: ['ignore', 'ignore', 'pipe'] })
  let stderr = ''
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString()
  })
  const over = once(child, 'exit')
  const { pid } = await Promise.race([
    settled(),
    over.then(() => {
      throw new Error(`dev-forward ended: ${stderr}`)
    }),
  ])
  return {
    process: child,
    // The package's bin may start a newer Node than the one on the PATH.
    pid,
    stderr: () => stderr,
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGTERM')
      await over
    },
  }
}

/** Uploads a small blob of one request over that many seconds; gives the status. */
export async function slowUpload(port: number, repository: string, seconds: number): Promise<number> {
  const base = `http://localhost:${port}`
  const begun = await fetch(`${base}/v2/${repository}/blobs/uploads/`, { method: 'POST' })
  const parts = Array.from({ length: seconds * 4 }, () => randomBytes(10_000))
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part)
  const location = new URL(begun.headers.get('location') ?? '', base)
  location.searchParams.set('digest', `sha256:${hash.digest('hex')}`)
  const request = http.request(location, { method: 'PUT', headers: { 'content-type': 'application/octet-stream' } })
  const answered = once(request, 'response') as Promise<[http.IncomingMessage]>
  // Whoever waits for the answer hears of it.
  answered.catch(() => {})
  for (const part of parts) {
    request.write(part)
    await pause(250)
  }
  request.end()
  const [response] = await answered
  response.resume()
  return response.statusCode ?? 0
}

/** An image of one layer that nothing can compress; gives its files for `crane append`. */
export async function layer(directory: string, megabytes: number): Promise<string> {
  const file = join(directory, `layer-${megabytes}-${randomBytes(4).toString('hex')}`)
  await writeFile(file, randomBytes(megabytes * 1024 * 1024))
  await run(['tar', '-C', directory, '-cf', `${file}.tar`, file.slice(directory.length + 1)])
  return `${file}.tar`
}

export const crane = (...args: readonly string[]) => run(['crane', ...args], { timeout: 120_000 })

/** Pushes an image with that layer and gives its digest. */
export async function push(reference: string, layerFile: string): Promise<string> {
  const { exitCode, stdout, stderr } = await crane('append', '--oci-empty-base', '-f', layerFile, '-t', reference)
  if (exitCode !== 0) throw new Error(`push of ${reference}: ${stderr}`)
  return stdout.trim().slice(stdout.trim().indexOf('@') + 1)
}

/** The processes below `pid`, itself included, as pid and command line. */
export async function processTree(pid: number): Promise<ReadonlyMap<number, string>> {
  const parents = new Map<number, { readonly parent: number; readonly command: string }>()
  for (const name of (await readdir('/proc')).filter((entry) => /^\d+$/.test(entry))) {
    const stat = await readFile(`/proc/${name}/stat`, 'utf8').catch(() => undefined)
    if (stat === undefined) continue
    const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    if (state === 'Z') continue
    const command = (await readFile(`/proc/${name}/cmdline`, 'utf8').catch(() => '')).replaceAll('\0', ' ').trim()
    parents.set(Number(name), { parent: Number(parent), command })
  }
  const tree = new Map<number, string>()
  const add = (one: number): void => {
    tree.set(one, parents.get(one)?.command ?? '')
    for (const [child, { parent }] of parents) if (parent === one && !tree.has(child)) add(child)
  }
  if (parents.has(pid)) add(pid)
  return tree
}

/** Kills the processes below `pid` and itself at one moment: those that watch others are stopped before any ends. */
export async function killTree(pid: number): Promise<void> {
  const tree = [...(await processTree(pid)).keys()]
  for (const signal of ['SIGSTOP', 'SIGKILL'] as const) {
    for (const one of tree) {
      try {
        process.kill(one, signal)
      } catch (error) {
        // A program it had asked something has answered meanwhile.
        if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
      }
    }
  }
}

export const alive = async (pid: number): Promise<boolean> => (await processTree(pid)).size > 0

/** Resident memory in MiB, now or at its highest. */
export async function memory(pid: number, field: 'VmRSS' | 'VmHWM' = 'VmRSS'): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]) / 1024
}

/** Sends the text and gives the first line that comes back. */
export async function firstLine(port: number, text: string): Promise<string> {
  const socket = net.connect(port, '127.0.0.1')
  socket.write(text)
  try {
    const [chunk] = (await once(socket, 'data')) as [Buffer]
    return chunk.toString('latin1').split('\r\n')[0] ?? ''
  } finally {
    socket.destroy()
  }
}
