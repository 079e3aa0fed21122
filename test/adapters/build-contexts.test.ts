import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { execa } from 'execa'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { buildContexts } from '../../src/adapters/build-contexts.ts'
import { failure } from '../app/failure.ts'

let root: string
let context: string

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'regctl-context-'))
  context = join(root, 'context')
  await mkdir(join(context, 'src', 'ignored'), { recursive: true })
  await writeFile(join(context, 'Dockerfile'), 'FROM scratch\n')
  await writeFile(join(context, '.dockerignore'), 'Dockerfile\n**/ignored\n!src/ignored/kept\n*.log\n')
  await writeFile(join(context, 'src', 'run.sh'), '#!/bin/sh\n')
  await chmod(join(context, 'src', 'run.sh'), 0o755)
  await writeFile(join(context, 'src', 'ignored', 'lost'), '')
  await writeFile(join(context, 'src', 'ignored', 'kept'), 'kept\n')
  await writeFile(join(context, 'a.log'), '')
  await writeFile(join(context, LONG), 'long\n')
  await writeFile(join(context, 'größe'), 'x'.repeat(1_000_000))
  await symlink('src/run.sh', join(context, 'link'))
  await symlink(`nowhere/${LONG}`, join(context, 'dangling'))
})

afterAll(() => rm(root, { recursive: true, force: true }))

const LONG = `${'n'.repeat(150)}.txt`

/** What the system's tar finds in it. */
async function unpacked(dockerfile?: string, directory = context) {
  const { archive, dockerfile: path } = await buildContexts.pack(directory, dockerfile)
  const { stdout } = await execa('tar', ['-tzvf', '-', '--numeric-owner', '--quoting-style=literal'], {
    input: await buffer(archive),
    env: { LC_ALL: 'C.UTF-8', TZ: 'UTC' },
  })
  const files = stdout.split('\n').map((line) => {
    const [, mode, owner, size, name] = /^(\S+) (\S+) +(\d+) \S+ \S+ (.*)$/.exec(line) ?? []
    return `${mode} ${owner} ${size} ${name}`
  })
  return { path, files }
}

test('an archive without what is ignored, whatever names and sizes there are', async () => {
  const { path, files } = await unpacked()
  expect(path).toBe('Dockerfile')
  expect(files).toEqual([
    '-rw-r--r-- 0/0 13 Dockerfile',
    '-rw-r--r-- 0/0 46 .dockerignore',
    `lrwxrwxrwx 0/0 0 dangling -> nowhere/${LONG}`,
    '-rw-r--r-- 0/0 1000000 größe',
    'lrwxrwxrwx 0/0 0 link -> src/run.sh',
    `-rw-r--r-- 0/0 5 ${LONG}`,
    'drwxr-xr-x 0/0 0 src/',
    '-rw-r--r-- 0/0 5 src/ignored/kept',
    '-rwxr-xr-x 0/0 10 src/run.sh',
  ])
})

test('the content is what the files hold', async () => {
  const { archive } = await buildContexts.pack(context, undefined)
  const { stdout } = await execa('tar', ['-xzOf', '-', LONG, 'größe', 'src/ignored/kept'], {
    input: await buffer(archive),
    env: { LC_ALL: 'C.UTF-8' },
  })
  expect(stdout).toBe(`${'x'.repeat(1_000_000)}long\nkept`)
})

test('a Dockerfile of another name, with an ignore file of its own, and one from outside', async () => {
  await writeFile(join(context, 'web.Dockerfile'), 'FROM scratch\n')
  await writeFile(join(context, 'web.Dockerfile.dockerignore'), '*\n')
  expect(await unpacked(join(context, 'web.Dockerfile'))).toEqual({
    path: 'web.Dockerfile',
    files: ['-rw-r--r-- 0/0 13 web.Dockerfile'],
  })
  await writeFile(join(root, 'other'), 'FROM scratch\n# other\n')
  await writeFile(join(root, 'other.dockerignore'), '*\n')
  expect(await unpacked(join(root, 'other'))).toEqual({
    path: '.regctl-dockerfile',
    files: ['-rw-r--r-- 0/0 21 .regctl-dockerfile'],
  })
})

test('what is not there is said', async () => {
  await expect(buildContexts.pack(join(root, 'none'), undefined)).rejects.toThrow(
    failure('NO_FILE', 3, 'the build context'),
  )
  await expect(buildContexts.pack(root, undefined)).rejects.toThrow(failure('NO_FILE', 3, 'the Dockerfile'))
  await expect(buildContexts.pack(join(root, 'other'), undefined)).rejects.toThrow(
    failure('NO_CONTEXT_DIRECTORY', 3, 'is no directory'),
  )
})
