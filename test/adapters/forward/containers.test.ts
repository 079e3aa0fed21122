import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { containers } from '../../../src/adapters/forward/containers.ts'
import { programs } from '../../../src/adapters/forward/programs.ts'

let directory: string
const { XDG_RUNTIME_DIR } = process.env

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'regctl-containers-'))
  process.env.XDG_RUNTIME_DIR = directory
})
afterEach(() => {
  rmSync(directory, { recursive: true, force: true })
  if (XDG_RUNTIME_DIR === undefined) delete process.env.XDG_RUNTIME_DIR
  else process.env.XDG_RUNTIME_DIR = XDG_RUNTIME_DIR
})

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
const sh = (script: string): readonly string[] => ['sh', '-c', script, directory]
const runs = () => sh('echo $$ >"$0/pid"; echo starting >&2; exec sleep 60')
const last = () => sh('echo over >>"$0/over"')
const pidOf = (): number => Number(readFileSync(join(directory, 'pid'), 'utf8'))

test('one that ends tells what it said; stopping clears up behind it', async () => {
  const running = containers.run(sh('echo "no room" >&2; exit 1'), last())
  expect(await running.ended).toBe('no room')
  expect(existsSync(join(directory, 'over'))).toBe(false)
  await running.stop()
  expect(readFileSync(join(directory, 'over'), 'utf8')).toBe('over\n')
})

test('stopping ends one that runs', async () => {
  const running = containers.run(runs(), last())
  await expect.poll(() => existsSync(join(directory, 'pid')) && pidOf() > 0).toBe(true)
  await running.stop()
  expect(isAlive(pidOf())).toBe(false)
  expect(await running.ended).toContain('starting')
})

test('a SIGKILL of this process ends it and clears up, too', async () => {
  const module = join(import.meta.dirname, '../../../src/adapters/forward/containers.ts')
  const script = `import { containers } from ${JSON.stringify(module)}
containers.run(${JSON.stringify(runs())}, ${JSON.stringify(last())})
await containers.directory('config')
console.log('ready')
setInterval(() => {}, 1000)`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
  const over = once(child, 'exit')
  try {
    // Before that it may have made what it has nobody yet to take away.
    await once(child.stdout, 'data')
    await expect.poll(() => existsSync(join(directory, 'pid')) && pidOf() > 0, { timeout: 10_000 }).toBe(true)
    expect(isAlive(pidOf())).toBe(true)
  } finally {
    child.kill('SIGKILL')
    await over
  }
  await expect.poll(() => isAlive(pidOf()), { timeout: 5_000 }).toBe(false)
  await expect.poll(() => readdirSync(directory).sort(), { timeout: 5_000 }).toEqual(['over', 'pid'])
}, 20_000)

test('a directory for this user alone, whose files are whole or not there', async () => {
  const made = await containers.directory('config', 'state')
  expect(made.path.startsWith(directory)).toBe(true)
  for (const path of [made.path, join(made.path, 'config'), join(made.path, 'state')])
    expect(statSync(path).mode & 0o777).toBe(0o700)
  await made.write({ 'config/a.json': '1' })
  const file = join(made.path, 'config', 'a.json')
  const before = statSync(file)
  expect(before.mode & 0o777).toBe(0o600)
  await made.write({ 'config/a.json': '2' })
  // Another file by the same name: whoever had the old one open reads that.
  expect(statSync(file).ino).not.toBe(before.ino)
  expect(readFileSync(file, 'utf8')).toBe('2')
  expect(readdirSync(join(made.path, 'config'))).toEqual(['a.json'])
  await made.answer('config/report.sock', async () => ({ port: 5000 }))
  const socket = join(made.path, 'config', 'report.sock')
  expect(await programs.askSocket(socket, '/')).toMatchObject({ status: 200, body: '{"port":5000}\n' })
  await made.remove()
  expect(readdirSync(directory)).toEqual([])
})

test('what a process left that is gone is removed, what others have stays', async () => {
  const owner = await containers.owner()
  const [uid, namespace, pid, start] = owner.split('.')
  const gone = [`${uid}.${namespace}.${pid}.0`, `${uid}.${namespace}.999999999.${start}`]
  const others = [`${Number(uid) + 1}.${namespace}.999999999.1`, `${uid}.elsewhere.999999999.1`, owner]
  expect(await Promise.all(gone.map((one) => containers.isGone(one)))).toEqual([true, true])
  expect(await Promise.all(others.map((one) => containers.isGone(one)))).toEqual([false, false, false])
  for (const one of [...gone, ...others]) mkdirSync(join(directory, `regctl-${one}-AbC123`))
  writeFileSync(join(directory, 'regctl-notes'), '')
  const made = await containers.directory()
  const left = readdirSync(directory).filter((name) => !made.path.endsWith(name))
  expect(left.sort()).toEqual([...others.map((one) => `regctl-${one}-AbC123`), 'regctl-notes'].sort())
  await made.remove()
})
