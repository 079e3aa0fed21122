import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { daemons } from '../../../src/adapters/forward/daemons.ts'

const directory = mkdtempSync(join(tmpdir(), 'regctl-state-'))
const state = join(directory, 'regctl')
const before = process.env.XDG_STATE_HOME
const record = (port: number) => join(state, `forward-${port}.json`)

beforeAll(() => {
  process.env.XDG_STATE_HOME = directory
})
afterAll(() => {
  if (before === undefined) delete process.env.XDG_STATE_HOME
  else process.env.XDG_STATE_HOME = before
  rmSync(directory, { recursive: true })
})
afterEach(async () => {
  for (const one of await daemons.list()) await daemons.stop(one)
})

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

/** A process that puts itself on record as a forward does; prints its pid. */
const worker = (port: number, then: string): readonly string[] => [
  process.execPath,
  '--input-type=module',
  '-e',
  `import { daemons } from ${JSON.stringify(join(import.meta.dirname, '../../../src/adapters/forward/daemons.ts'))}
const delist = await daemons.enlist(${port})
process.once('SIGTERM', async () => { await delist(); process.exit(143) })
console.log('pid ' + process.pid)
${then}`,
]

const STAY = 'setInterval(() => {}, 1000)'
const pids = (log: string): readonly number[] =>
  [...(existsSync(log) ? readFileSync(log, 'utf8') : '').matchAll(/^pid (\d+)$/gm)].map((match) => Number(match[1]))

test('started, listed, started anew after a crash, ended', async () => {
  const { log, ended } = await daemons.start(5000, worker(5000, STAY))
  await expect.poll(() => pids(log).length, { timeout: 4_000 }).toBe(1)
  expect(statSync(state).mode & 0o777).toBe(0o700)
  expect(statSync(log).mode & 0o777).toBe(0o600)
  const [found] = await daemons.list()
  expect(found).toMatchObject({ port: 5000, log })
  process.kill(pids(log)[0] ?? 0, 'SIGKILL')
  await expect.poll(() => pids(log).length, { timeout: 4_000 }).toBe(2)
  expect(await ended()).toBeUndefined()
  if (found !== undefined) expect(await daemons.stop(found)).toBe(true)
  expect(isAlive(pids(log)[1] ?? 0)).toBe(false)
  expect(await daemons.list()).toEqual([])
  expect(readdirSync(state).filter((name) => name.endsWith('.json'))).toEqual([])
})

test('an exit code of ours is no crash, and the end of the log says what it was', async () => {
  const { log, ended } = await daemons.start(5001, [
    process.execPath,
    '-e',
    'console.error("Error: why"); process.exit(4)',
  ])
  await expect.poll(ended, { timeout: 4_000 }).toBe('Error: why')
  expect(readFileSync(log, 'utf8').match(/why/g)?.length).toBe(1)
})

test('a worker without its supervisor ends', async () => {
  const { log } = await daemons.start(5002, worker(5002, STAY))
  await expect.poll(() => pids(log).length, { timeout: 4_000 }).toBe(1)
  const [found] = await daemons.list()
  process.kill(found?.pid ?? 0, 'SIGKILL')
  await expect.poll(() => isAlive(pids(log)[0] ?? 0), { timeout: 4_000 }).toBe(false)
  expect(await daemons.list()).toEqual([])
})

test('what is on record of a process that is gone, or was another, ends nobody', async () => {
  mkdirSync(state, { recursive: true })
  const other = spawn('sleep', ['60'], { stdio: 'ignore' })
  await once(other, 'spawn')
  const stale = { port: 5003, pid: other.pid ?? 0, started: '12345 another-boot', log: '' }
  writeFileSync(record(5003), JSON.stringify(stale))
  writeFileSync(record(5004), '{ half')
  expect(await daemons.stop(stale)).toBe(false)
  expect(await daemons.list()).toEqual([])
  expect(existsSync(record(5003))).toBe(false)
  expect(isAlive(stale.pid)).toBe(true)
  other.kill()
})

test('in the foreground nothing is put on record', async () => {
  const delist = await daemons.enlist(5005)
  expect(existsSync(record(5005))).toBe(false)
  await delist()
})

test('logs that nobody will read are cleared away, those of forwards that run are not', async () => {
  const { log } = await daemons.start(5006, worker(5006, STAY))
  await expect.poll(() => pids(log).length, { timeout: 4_000 }).toBe(1)
  const [old, recent, other] = ['forward-41000.log', 'forward-41001.log', 'other.log'].map((name) => join(state, name))
  for (const file of [old, recent, other]) writeFileSync(file ?? '', '')
  const before = new Date(Date.now() - 8 * 86_400_000)
  for (const file of [log, old, other]) utimesSync(file ?? '', before, before)
  await daemons.start(5007, [process.execPath, '-e', ''])
  expect([log, old, recent, other].map((file) => existsSync(file ?? ''))).toEqual([true, false, true, true])
})
