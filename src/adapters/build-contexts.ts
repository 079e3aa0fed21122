import type { Stats } from 'node:fs'
import { lstat, open, readdir, readFile, readlink, stat } from 'node:fs/promises'
import { basename, isAbsolute, join, relative, resolve, sep } from 'node:path'
import { pipeline, Readable } from 'node:stream'
import { constants, createGzip } from 'node:zlib'
import { type Ignore, parseIgnore } from '../domain/build/ignore.ts'
import { padding, type TarEntry, tarEnd, tarHeader } from '../domain/build/tar.ts'
import { conflictError, preconditionError } from '../errors.ts'
import type { BuildContexts, PackedContext } from '../ports.ts'

const CHUNK = 256 * 1024
/** Where a Dockerfile from outside of the context is put. */
const OUTSIDE = '.regctl-dockerfile'

export const buildContexts: BuildContexts = { pack }

type Source = { readonly path: string; readonly file: string; readonly stats: Stats }

async function pack(directory: string, dockerfile: string | undefined): Promise<PackedContext> {
  const root = resolve(directory)
  const found = await stat(root).catch((cause: unknown) => unreadable(`the build context ${root}`, cause))
  if (!found.isDirectory()) throw preconditionError('NO_CONTEXT_DIRECTORY', `the build context ${root} is no directory`)
  // As docker has it: a path of --file is from here, the usual one is in the context.
  const file = dockerfile === undefined ? join(root, 'Dockerfile') : resolve(dockerfile)
  const stats = await stat(file).catch((cause: unknown) => unreadable(`the Dockerfile ${file}`, cause))
  const inside = relative(root, file)
  const outside = inside.startsWith('..') || isAbsolute(inside)
  const path = outside ? OUTSIDE : posix(inside)
  const ignore = await ignoreOf(root, file)
  const sources = async function* (): AsyncGenerator<Source> {
    // First of all and followed where it is a link, so that the builder has it whatever the ignore file says.
    yield { path, file, stats }
    for await (const source of walk(root, '', ignore)) if (source.path !== path) yield source
  }
  const zip = createGzip({ level: constants.Z_BEST_SPEED })
  // Errors of either come out of the one that is read.
  const archive = pipeline(Readable.from(blocks(sources()), { objectMode: false }), zip, () => {})
  // Reading begins before anybody takes it, and so may fail before anybody listens.
  archive.on('error', () => {})
  return { archive, dockerfile: path }
}

/** The Dockerfile's own comes before that of the context. */
async function ignoreOf(root: string, dockerfile: string): Promise<Ignore> {
  for (const file of [`${dockerfile}.dockerignore`, join(root, '.dockerignore')]) {
    const text = await readFile(file, 'utf8').catch((cause: NodeJS.ErrnoException) =>
      cause.code === 'ENOENT' ? undefined : unreadable(file, cause),
    )
    if (text !== undefined) return parseIgnore(text, basename(file))
  }
  return parseIgnore('', '.dockerignore')
}

async function* walk(root: string, below: string, ignore: Ignore): AsyncGenerator<Source> {
  const directory = join(root, below)
  const names = await readdir(directory).catch((cause: unknown) => unreadable(directory, cause))
  for (const name of names.sort()) {
    const path = below === '' ? name : `${below}/${name}`
    const file = join(directory, name)
    const stats = await lstat(file).catch((cause: unknown) => unreadable(file, cause))
    const ignored = ignore.ignores(path)
    // Sockets and devices are nothing an image could have.
    if (!ignored && (stats.isFile() || stats.isDirectory() || stats.isSymbolicLink())) yield { path, file, stats }
    if (stats.isDirectory() && (!ignored || ignore.exceptions)) yield* walk(root, path, ignore)
  }
}

async function* blocks(sources: AsyncIterable<Source>): AsyncGenerator<Buffer> {
  for await (const source of sources) {
    const entry = await entryOf(source)
    yield tarHeader(entry)
    if (entry.type === 'file') yield* contentOf(source.file, entry.size)
  }
  yield tarEnd()
}

async function entryOf({ path, file, stats }: Source): Promise<TarEntry> {
  // Windows has no such bit, and a script without it does not run.
  const mode = process.platform === 'win32' ? stats.mode | 0o111 : stats.mode
  const entry = { path, mode, mtime: stats.mtimeMs / 1000, size: 0 }
  if (stats.isDirectory()) return { ...entry, type: 'directory' }
  if (stats.isSymbolicLink()) return { ...entry, type: 'link', target: posix(await readlink(file)) }
  return { ...entry, type: 'file', size: stats.size }
}

/** Just as much as its header says. */
async function* contentOf(file: string, size: number): AsyncGenerator<Buffer> {
  const handle = await open(file).catch((cause: unknown) => unreadable(file, cause))
  try {
    for (let left = size; left > 0; ) {
      const { bytesRead, buffer } = await handle.read({ buffer: Buffer.allocUnsafe(Math.min(CHUNK, left)) })
      if (bytesRead === 0)
        throw conflictError('CONTEXT_CHANGED', `${file} became shorter while it was sent`, {
          suggestions: ['run the command again'],
        })
      left -= bytesRead
      yield buffer.subarray(0, bytesRead)
    }
    yield padding(size)
  } finally {
    await handle.close()
  }
}

const posix = (path: string): string => (sep === '/' ? path : path.replaceAll(sep, '/'))

function unreadable(what: string, cause: unknown): never {
  const { code, message } = cause as NodeJS.ErrnoException
  const why = code === 'ENOENT' ? 'is not there' : `cannot be read: ${message}`
  throw preconditionError(code === 'ENOENT' ? 'NO_FILE' : 'UNREADABLE', `${what} ${why}`, { cause })
}
