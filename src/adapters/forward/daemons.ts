import { mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { Daemons, ForwardRecord } from '../../ports/forward.ts'
import { background } from '../exec.ts'
import { startOf } from './owner.ts'

const LOG_KEPT = 1024 * 1024
/** Nobody asks why a forward ended a week after; milliseconds. */
const UNREAD = 7 * 86_400_000
const STOP_LIMIT = 10_000
const ORPHAN_CHECK = 500

/** Tells the worker where its own output goes, and that a supervisor waits for it. */
export const LOG_VARIABLE = 'REGCTL_FORWARD_LOG'

const directory = (): string => join(process.env.XDG_STATE_HOME || join(homedir(), '.local', 'state'), 'regctl')
const recordFile = (port: number): string => join(directory(), `forward-${port}.json`)
const logFile = (port: number): string => join(directory(), `forward-${port}.log`)

export const daemons: Daemons = {
  async list() {
    const names = await readdir(directory()).catch(() => [])
    const files = names.filter((name) => /^forward-\d+\.json$/.test(name))
    const records = await Promise.all(files.map((name) => readRecord(join(directory(), name))))
    const alive: ForwardRecord[] = []
    for (const record of records) {
      if (record === undefined) continue
      if (await isAlive(record)) alive.push(record)
      // The process is gone, or the pid is another's by now.
      else await forget(record)
    }
    return alive
  },

  async start(port, argv) {
    await mkdir(directory(), { recursive: true, mode: 0o700 })
    await sweepLogs()
    const log = logFile(port)
    const size = await stat(log).then(
      (found) => found.size,
      () => 0,
    )
    if (size > LOG_KEPT) await rename(log, `${log}.old`)
    const file = await open(log, 'a', 0o600)
    const from = size > LOG_KEPT ? 0 : size
    try {
      const { pid, running } = background(argv, { [LOG_VARIABLE]: log }, file.fd)
      return {
        log,
        pid,
        ended: async () => (running() ? undefined : (await readFile(log)).subarray(from).toString('utf8').trim()),
      }
    } finally {
      await file.close()
    }
  },

  async enlist(port) {
    const log = process.env[LOG_VARIABLE]
    if (log === undefined) return async () => {}
    // The supervisor: it would start this process anew.
    const pid = process.ppid
    const record = { port, pid, started: await startOf(pid), log }
    const temporary = `${recordFile(port)}.${process.pid}`
    await writeFile(temporary, `${JSON.stringify(record)}\n`, { mode: 0o600 })
    await rename(temporary, recordFile(port))
    // Nobody else would end this process, nor find it.
    const watch = setInterval(() => {
      if (process.ppid !== pid) process.kill(process.pid, 'SIGTERM')
    }, ORPHAN_CHECK)
    watch.unref()
    return () => {
      clearInterval(watch)
      return forget(record)
    }
  },

  async stop(record) {
    if (!(await isAlive(record))) return false
    for (const [signal, limit] of [
      ['SIGTERM', STOP_LIMIT],
      ['SIGKILL', STOP_LIMIT],
    ] as const) {
      try {
        process.kill(record.pid, signal)
      } catch {
        // It ended between the two looks.
      }
      for (const end = Date.now() + limit; Date.now() < end; await pause(50)) {
        if (await isAlive(record)) continue
        await forget(record)
        return true
      }
    }
    throw new Error(`process ${record.pid} does not end`)
  },
}

/** Whoever asks for any free port leaves a log for each. */
async function sweepLogs(): Promise<void> {
  const used = (await daemons.list()).map(({ log }) => log)
  for (const name of await readdir(directory())) {
    const file = join(directory(), name)
    if (!/^forward-\d+\.log(\.old)?$/.test(name) || used.includes(file.replace(/\.old$/, ''))) continue
    const { mtimeMs } = await stat(file).catch(() => ({ mtimeMs: Date.now() }))
    if (Date.now() - mtimeMs > UNREAD) await rm(file, { force: true })
  }
}

async function readRecord(file: string): Promise<ForwardRecord | undefined> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as ForwardRecord
  } catch {
    return undefined
  }
}

/** Only this one: another may have taken the port and the file since. */
async function forget(record: ForwardRecord): Promise<void> {
  const now = await readRecord(recordFile(record.port))
  if (now?.pid === record.pid && now.started === record.started) await rm(recordFile(record.port), { force: true })
}

const isAlive = async (record: ForwardRecord): Promise<boolean> =>
  record.started !== '' && (await startOf(record.pid)) === record.started
