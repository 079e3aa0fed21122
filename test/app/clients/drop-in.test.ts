import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { localFiles } from '../../../src/adapters/files.ts'
import { setDropIn } from '../../../src/app/clients/drop-in.ts'
import { containersConf, readerOf } from '../../../src/domain/clients/containers-conf.ts'
import type { Files } from '../../../src/ports.ts'
import { failure } from '../failure.ts'

let home: string
let files: Files
let path: string

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'regctl-drop-in-'))
  files = localFiles({ HOME: home })
  path = join(home, '.config/containers/registries.conf.d/50-regctl.conf')
})

afterEach(() => rm(home, { recursive: true, force: true }))

const text = () => readFile(path, 'utf8')

test('who reads none is told so', () => {
  expect(['podman', 'buildah', 'skopeo'].map(readerOf)).toEqual(['podman', 'buildah', 'skopeo'])
  expect(() => readerOf('buildkit')).toThrow(failure('NO_FILE', 2, 'there is no file for "buildkit"'))
})

test('written, again, for another port, and taken away', async () => {
  expect(await setDropIn(files, 5000, false)).toEqual({ path, changed: true })
  expect(await text()).toBe(containersConf(5000))
  expect(await setDropIn(files, 5000, false)).toEqual({ path, changed: false })
  expect(await setDropIn(files, 5001, false)).toEqual({ path, changed: true })
  expect(await text()).toContain('location = "localhost:5001"')
  expect(await setDropIn(files, 5000, true)).toEqual({ path, changed: true })
  await expect(text()).rejects.toThrow('ENOENT')
  expect(await setDropIn(files, 5000, true)).toEqual({ path, changed: false })
})

test.each([
  ["somebody else's", '[[registry]]\nlocation = "localhost:5000"\n'],
  ['ours, with a change', `${containersConf(5000)}# mine\n`],
])('%s: neither overwritten nor removed', async (_name, content) => {
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, content)
  await expect(setDropIn(files, 5000, false)).rejects.toThrow(failure('NOT_OURS', 4, path))
  await expect(setDropIn(files, 5000, true)).rejects.toThrow(failure('NOT_OURS', 4, path))
  expect(await text()).toBe(content)
})
