import { spawnSync } from 'node:child_process'
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'

let directory: string
let cache: typeof import('./cache.ts')

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'regctl-cache-'))
  vi.stubEnv('REGCTL_LAB_CACHE', directory)
  cache = await import('./cache.ts')
})
afterAll(async () => {
  vi.unstubAllEnvs()
  await rm(directory, { recursive: true })
})

test('a sweep takes what killed builds left, and leaves running builds and finished artefacts', async () => {
  const gone = spawnSync(process.execPath, ['-e', '0']).pid
  const running = `.building-${process.pid}-aaaaaa`
  for (const name of [running, `.building-${gone}-bbbbbb`, '.building-cccccc', 'go-done-1']) {
    await mkdir(join(directory, name))
  }
  await cache.sweepCache()
  expect((await readdir(directory)).sort()).toEqual([running, 'go-done-1'])
})

test('an artefact is built once, and a failed build leaves nothing', async () => {
  const build = vi.fn(async () => undefined)
  const recipe = { name: 'one', inputs: ['a'], build }
  const [first, second] = [await cache.cached(recipe), await cache.cached(recipe)]
  expect(first).toEqual(second)
  expect(build).toHaveBeenCalledTimes(1)
  const before = await readdir(directory)
  const failing = { name: 'two', inputs: [], build: () => Promise.reject(new Error('no compiler')) }
  await expect(cache.cached(failing)).rejects.toThrow('no compiler')
  expect(await readdir(directory)).toEqual(before)
})
