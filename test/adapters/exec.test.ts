import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, open, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join, resolve } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { expect, test, vi } from 'vitest'
import { attach, background, findProgram, run, supervise } from '../../src/adapters/exec.ts'

const node = (script: string): readonly string[] => [process.execPath, '-e', script]
const never = new AbortController().signal
const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

test('a program that exists, one that fails, one that does not exist', async () => {
  expect(await run(node('console.log(1); console.error(2); process.exit(3)'))).toEqual({
    stdout: '1',
    stderr: '2',
    exitCode: 3,
  })
  expect(await run(['regctl-no-such-program'])).toBeUndefined()
  expect(await findProgram('sh')).toMatch(/\/sh$/)
  expect(await findProgram('regctl-no-such-program')).toBeUndefined()
})

test('a supervised program: what it says, how it ends, and that it can be ended', async () => {
  let said = ''
  const ends = supervise(node('console.log("hi"); console.error("why"); process.exit(4)'), (text) => {
    said += text
  })
  expect(await ends.ended).toEqual({ exitCode: 4, stderr: 'why' })
  expect(said).toBe('hi\n')
  let pid = 0
  const stays = supervise(node('console.log(process.pid); setInterval(() => {}, 1000)'), (text) => {
    pid = Number(text)
  })
  await expect.poll(() => pid, { timeout: 3_000 }).toBeGreaterThan(0)
  stays.stop()
  await stays.ended
  expect(isAlive(pid)).toBe(false)
})

test('a supervised program has our environment, and what is added to it', async () => {
  let said = ''
  const script = 'console.log(process.env.PATH === undefined, process.env.REGCTL_X)'
  await supervise(node(script), (text) => (said += text), { REGCTL_X: '7' }).ended
  expect(said).toBe('false 7\n')
})

test('a supervised program does not outlive a process that is killed', async () => {
  const script = `import { supervise } from ${JSON.stringify(join(import.meta.dirname, '../../src/adapters/exec.ts'))}
supervise([process.execPath, '-e', 'console.log(process.pid); setInterval(() => {}, 1000)'], (text) => process.stdout.write(text))`
  const parent = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [chunk] = (await once(parent.stdout, 'data')) as [Buffer]
  const pid = Number(chunk.toString())
  expect(isAlive(pid)).toBe(true)
  parent.kill('SIGKILL')
  await expect.poll(() => isAlive(pid), { timeout: 3_000 }).toBe(false)
})

test('exit codes of an attached program are the shell’s', async () => {
  const options = { env: { REGCTL_X: '7' }, signal: never, quiet: true }
  expect(await attach(node('process.exit(Number(process.env.REGCTL_X))'), options)).toBe(7)
  expect(await attach(node('process.kill(process.pid, "SIGTERM"); setInterval(() => {}, 1000)'), options)).toBe(143)
  expect(await attach(['regctl-no-such-program'], options)).toBe(127)
})

test('an attached program gets the signal and decides itself', async () => {
  const abort = new AbortController()
  const script = 'process.on("SIGTERM", () => process.exit(9)); setInterval(() => {}, 1000)'
  const code = attach(node(script), { env: {}, signal: abort.signal, quiet: true })
  setTimeout(() => abort.abort(new Error('stopped by SIGTERM')), 400)
  expect(await code).toBe(9)
})

test('what runs in the background finds the kubeconfig files that were named as seen from here', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'regctl-test-'))
  const file = join(directory, 'log')
  const log = await open(file, 'a')
  vi.stubEnv('KUBECONFIG', `one${delimiter}/two`)
  try {
    const { running } = background(['sh', '-c', 'echo "$KUBECONFIG"'], {}, log.fd)
    while (running()) await pause(10)
    expect((await readFile(file, 'utf8')).trim()).toBe(`${resolve('one')}${delimiter}/two`)
  } finally {
    vi.unstubAllEnvs()
    await log.close()
    await rm(directory, { recursive: true })
  }
})
