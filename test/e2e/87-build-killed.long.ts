import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { buildsIn, running } from './build/kit.ts'
import { ensureNamespaces } from './clients.ts'
import { eventually, kubectlOk, regctlOk } from './cluster.ts'
import { images, upFlags } from './images.ts'

const KILLED = 'e2e-build-killed'

let directory: string

beforeAll(async () => {
  await regctlOk(['up', ...upFlags])
  directory = await mkdtemp(join(tmpdir(), 'regctl-killed-'))
  await writeFile(join(directory, 'Dockerfile'), 'FROM scratch\nCOPY large /\n')
  await writeFile(join(directory, 'large'), Buffer.alloc(300_000_000, 'x'))
  await ensureNamespaces(KILLED)
  await regctlOk(['grant', KILLED, 'killed'])
})

afterAll(async () => {
  await rm(directory, { recursive: true, force: true })
  await kubectlOk(['delete', 'namespace', KILLED, '--ignore-not-found', '--wait=false'])
})

test('a build whose regctl is stopped, and so no longer puts its deadline off, ends by itself and leaves nothing', async () => {
  const args = ['build', directory, '-t', 'killed/app:1', '--builder-image', images.kaniko]
  const child = spawn(process.env.REGCTL_BIN ?? '', args, { stdio: ['ignore', 'pipe', 'pipe'] })
  await running(child)
  // Stopped, its connections stay open: only the deadline is left, as after the loss of a machine.
  child.kill('SIGSTOP')
  expect(await buildsIn(KILLED)).toHaveLength(2)
  await eventually(async () => expect(await buildsIn(KILLED)).toEqual([]), { timeout: 200_000, every: 2_000 })
  child.kill('SIGKILL')
  await once(child, 'exit')
}, 240_000)

test('so does one whose regctl was killed', async () => {
  const args = ['build', directory, '-t', 'killed/app:2', '--builder-image', images.kaniko]
  const child = spawn(process.env.REGCTL_BIN ?? '', args, { stdio: ['ignore', 'pipe', 'pipe'] })
  await running(child)
  child.kill('SIGKILL')
  await once(child, 'exit')
  await eventually(async () => expect(await buildsIn(KILLED)).toEqual([]), { timeout: 200_000, every: 1_000 })
}, 240_000)
