import { mkdir, rm, symlink } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { isCached } from './cache.ts'
import { buildGo, extraSets, type GoSet, goRecipe, goSets } from './go-build.ts'
import { tools } from './paths.ts'

async function link(name: string, set: GoSet, binary = name): Promise<void> {
  await mkdir(tools, { recursive: true })
  await rm(join(tools, name), { force: true })
  await symlink(join(await buildGo(set), binary), join(tools, name))
}

export async function linkTools(): Promise<void> {
  await link('kubectl', goSets.kubernetes, 'kubernetes')
  await link('istioctl', goSets.istio)
  await link('crane', goSets.oci)
  await link('registry', goSets.oci)
}

export type ExtraSet = keyof typeof extraSets

export const extraNames = Object.keys(extraSets) as readonly ExtraSet[]

/** Those that some run has built, and these. */
export async function linkExtraTools(wanted: readonly ExtraSet[]): Promise<void> {
  for (const name of extraNames) {
    const set: GoSet = extraSets[name]
    if (!wanted.includes(name) && !isCached(await goRecipe(set))) continue
    for (const path of set.packages) await link(basename(path), set)
  }
}

/** Path of one of the extra tools, built if the cache has it not. It stands beside the lab: suites on other clusters use it too. */
export async function extraTool(name: ExtraSet, binary: string = name): Promise<string> {
  return join(await buildGo(extraSets[name]), binary)
}
