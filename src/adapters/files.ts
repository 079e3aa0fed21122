import { constants } from 'node:fs'
import { access, lstat, mkdir, open, readFile, readlink, rename, rm, stat } from 'node:fs/promises'
import { homedir } from 'node:os'
import { basename, dirname, join, resolve } from 'node:path'
import { conflictError, type RegctlError } from '../errors.ts'
import type { FileEdit, Files } from '../ports.ts'

/** Files of the user's that regctl edits, and the directory where it remembers what it did. */
export function localFiles(environment: NodeJS.ProcessEnv = process.env): Files {
  const home = environment.HOME || homedir()
  return {
    home,
    state: join(environment.XDG_STATE_HOME || join(home, '.local', 'state'), 'regctl'),
    resolve: (...parts) => resolve(...parts),
    isDirectory: async (path) => (await statOf(path))?.isDirectory() === true,
    read,
    write,
    remove: (path) => rm(path, { force: true }),
  }
}

async function read(path: string): Promise<string | undefined> {
  const found = await statOf(path)
  if (found === undefined) return undefined
  if (!found.isFile()) throw refused('NOT_A_FILE', `${path} is not a file`)
  try {
    // The byte order mark is part of the text, so that it is written back.
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(await readFile(path))
  } catch (cause) {
    if (cause instanceof TypeError) throw refused('NOT_UTF8', `${path} is not UTF-8 text`, 'convert it to UTF-8', cause)
    throw refused('UNREADABLE', `${path} cannot be read: ${(cause as Error).message}`, `ls -l ${path}`, cause)
  }
}

/**
 * All or nothing as far as a file system allows: every file is checked and written beside its place before the first
 * one is put there. Refused are symbolic links, read-only files and what changed since it was read.
 */
async function write(edits: readonly FileEdit[]): Promise<void> {
  const staged: { readonly edit: FileEdit; readonly temporary: string }[] = []
  try {
    for (const edit of edits) await check(edit)
    for (const edit of edits) staged.push({ edit, temporary: await stage(edit) })
    for (const { edit } of staged) await check(edit)
    for (const { edit, temporary } of staged) await rename(temporary, edit.path)
  } catch (error) {
    await Promise.all(staged.map(({ temporary }) => rm(temporary, { force: true })))
    throw error
  }
}

async function check({ path, before }: FileEdit): Promise<void> {
  const found = await lstatOf(path)
  if (found?.isSymbolicLink()) {
    const target = resolve(dirname(path), await readlink(path))
    throw refused('SYMLINK', `${path} is a symbolic link to ${target}`, `name ${target} itself`)
  }
  // Root may write what nobody is meant to.
  if (found !== undefined && ((found.mode & 0o222) === 0 || !(await isWritable(path))))
    throw refused('READ_ONLY', `${path} is read-only`, `chmod u+w ${path}`)
  if ((await read(path)) !== before)
    throw refused('CHANGED_MEANWHILE', `${path} was changed by somebody else meanwhile`, 'run the command again')
}

async function stage({ path, before, text }: FileEdit): Promise<string> {
  const directory = dirname(path)
  const temporary = join(directory, `.${basename(path)}.regctl-${process.pid}`)
  try {
    if (before === undefined) await mkdir(directory, { recursive: true, mode: 0o700 })
    const found = await statOf(path)
    const file = await open(temporary, 'wx', 0o600)
    try {
      await file.writeFile(text)
      await file.chmod(found === undefined ? 0o600 : found.mode & 0o7777)
      if (found !== undefined && (found.uid !== process.getuid?.() || found.gid !== process.getgid?.()))
        await file.chown(found.uid, found.gid)
      await file.sync()
    } finally {
      await file.close()
    }
    return temporary
  } catch (cause) {
    await rm(temporary, { force: true }).catch(() => undefined)
    throw refused(
      'NOT_WRITABLE',
      `${path} cannot be written: ${(cause as Error).message}`,
      `ls -ld ${directory}`,
      cause,
    )
  }
}

const isWritable = (path: string): Promise<boolean> =>
  access(path, constants.W_OK).then(
    () => true,
    () => false,
  )

const missing = (error: NodeJS.ErrnoException): undefined => {
  if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined
  throw refused('UNREADABLE', `${error.path} cannot be read: ${error.message}`, `ls -ld ${error.path}`, error)
}
const statOf = (path: string) => stat(path).catch(missing)
const lstatOf = (path: string) => lstat(path).catch(missing)

const refused = (code: string, message: string, fix?: string, cause?: unknown): RegctlError =>
  conflictError(code, message, {
    suggestions: fix === undefined ? [] : [fix],
    ...(cause === undefined ? {} : { cause }),
  })
