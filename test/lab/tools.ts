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

/** Those that some run has built; all, if they are to be built. */
export async function linkExtraTools(build: boolean): Promise<void> {
  for (const set of Object.values<GoSet>(extraSets)) {
    if (!build && !isCached(await goRecipe(set))) continue
    for (const path of set.packages) await link(basename(path), set)
  }
}

/** One of the extra tools, built if the cache has it not; its path. */
export async function extraTool(name: keyof typeof extraSets): Promise<string> {
  await link(name, extraSets[name])
  return join(tools, name)
}
