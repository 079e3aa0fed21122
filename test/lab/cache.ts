import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { cacheDirectory } from './paths.ts'

export interface Recipe {
  readonly name: string
  /** All that decides the content, as text: file contents, flags, versions, keys of other artefacts. */
  readonly inputs: readonly string[]
  readonly build: (directory: string) => Promise<void>
}

export interface Artefact {
  readonly key: string
  readonly directory: string
}

export const digest = (inputs: readonly string[]): string =>
  createHash('sha256').update(JSON.stringify(inputs)).digest('hex').slice(0, 24)

export function located(recipe: Recipe): Artefact {
  const key = `${recipe.name}-${digest(recipe.inputs)}`
  return { key, directory: join(cacheDirectory, key) }
}

export const isCached = (recipe: Recipe): boolean => existsSync(located(recipe).directory)

/** The artefact's directory, built first if nobody has. Only a rename publishes it, so a killed build leaves no entry. */
export async function cached(recipe: Recipe): Promise<Artefact> {
  const artefact = located(recipe)
  if (existsSync(artefact.directory)) return artefact
  await mkdir(cacheDirectory, { recursive: true })
  const building = await mkdtemp(join(cacheDirectory, `.building-${process.pid}-`))
  try {
    await recipe.build(building)
    await rename(building, artefact.directory)
  } catch (error) {
    await rm(building, { recursive: true, force: true })
    // Another cache user may have published the same key meanwhile.
    if (!existsSync(artefact.directory)) throw error
  }
  return artefact
}

/** What killed builds left. Suites build tools of theirs while another run brings its lab up: those are left alone. */
export async function sweepCache(): Promise<void> {
  for (const entry of await readdir(cacheDirectory).catch(() => [])) {
    const builder = /^\.building-(\d*)/.exec(entry)?.[1]
    if (builder === undefined || existsSync(`/proc/${builder || 'none'}`)) continue
    await rm(join(cacheDirectory, entry), { recursive: true, force: true })
  }
}

export async function texts(directory: string, names: readonly string[]): Promise<string[]> {
  return Promise.all(names.map((name) => readFile(join(directory, name), 'utf8')))
}
