import { parseSkaffold, type SkaffoldFile } from '../../domain/skaffold/config.ts'
import { requirementsOf } from '../../domain/skaffold/find.ts'
import { preconditionError, usageError } from '../../errors.ts'
import type { Files } from '../../ports.ts'

export type Project = {
  /** The file Skaffold is given and then every module it requires, each once. */
  readonly files: readonly (SkaffoldFile & { readonly path: string })[]
  readonly remarks: readonly string[]
}

const NAMES = ['skaffold.yaml', 'skaffold.yml']

/**
 * Reads skaffold.yaml and the modules it requires from this machine.
 * @throws precondition error NO_SKAFFOLD_FILE; conflict errors of what is not a Skaffold file
 */
export async function readProject(files: Files, given: string | undefined): Promise<Project> {
  const found = new Map<string, SkaffoldFile & { readonly path: string }>()
  const remarks: string[] = []
  const visit = async (path: string, name: string): Promise<void> => {
    if (found.has(path)) return
    const text = await files.read(path)
    if (text === undefined)
      throw preconditionError('NO_SKAFFOLD_FILE', `${name} does not exist`, {
        suggestions: ['skaffold init', 'regctl skaffold-init --file FILE'],
      })
    const file = { ...parseSkaffold(name, text), path }
    found.set(path, file)
    for (const requirement of file.configs.flatMap(requirementsOf)) {
      if ('remote' in requirement)
        remarks.push(`${name} requires ${requirement.remote}, which Skaffold fetches: what it builds stays as it is`)
      else await visit(...(await moduleAt(files, path, requirement.path)))
    }
  }
  await visit(...(await mainFile(files, given)))
  return { files: [...found.values()], remarks: [...new Set(remarks)] }
}

async function mainFile(files: Files, given: string | undefined): Promise<readonly [string, string]> {
  if (given === '-' || /^https?:\/\//.test(given ?? ''))
    throw usageError('NOT_A_LOCAL_FILE', `"${given}" is not a file that can be edited`, {
      suggestions: ['download it, then name the copy with --file'],
    })
  if (given !== undefined) return [files.resolve(given), given]
  for (const name of NAMES) {
    const path = files.resolve(name)
    if ((await files.read(path)) !== undefined) return [path, name]
  }
  return [files.resolve('skaffold.yaml'), 'skaffold.yaml']
}

/** Skaffold takes a directory for the skaffold.yaml in it. */
async function moduleAt(files: Files, from: string, path: string): Promise<readonly [string, string]> {
  const absolute = files.resolve(from, '..', path)
  return (await files.isDirectory(absolute))
    ? [files.resolve(absolute, 'skaffold.yaml'), `${path.replace(/\/$/, '')}/skaffold.yaml`]
    : [absolute, path]
}
