import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { cached, located, type Recipe, texts } from '../cache.ts'
import { debianVersions } from '../debian.ts'
import { envoyRecipe } from '../envoy.ts'
import { type GoSet, goRecipe, goSets } from '../go-build.ts'
import { packImage } from './archive.ts'
import { type ImageRecipe, imageRecipes } from './recipes.ts'
import { Rootfs } from './rootfs.ts'

/** What `info` names: image references by their short name. */
export const imageReferences: Readonly<Record<string, string>> = Object.fromEntries(
  Object.entries(imageRecipes).map(([name, recipe]) => [name, recipe.reference]),
)

const partsOf: Readonly<Record<string, readonly GoSet[]>> = {
  coredns: [goSets.coredns],
  pilot: [goSets.istio],
  proxyv2: [goSets.istio],
  registry: [goSets.oci],
  kaniko: [goSets.kaniko],
  toolbox: [goSets.oci],
}

/** The archive's recipe: it changes with its parts, with Debian's versions and with the code that lays it out. */
export async function archiveRecipe(
  name: string,
  recipe: ImageRecipe,
  sets: readonly GoSet[] = partsOf[name] ?? [],
  home = 'recipes.ts',
): Promise<Recipe> {
  const parts = await Promise.all(sets.map(async (set) => located(await goRecipe(set)).key))
  const envoy = name === 'proxyv2' ? [located(await envoyRecipe()).key] : []
  // The text of the files, not of a function: whoever loads the file may have changed that.
  const layout = await texts(import.meta.dirname, ['archive.ts', 'rootfs.ts', home])
  return {
    name: `image-${name}`,
    inputs: [recipe.reference, JSON.stringify(recipe.config), ...parts, ...envoy, await debianVersions(), ...layout],
    build: async (output) => {
      const root = join(output, 'root')
      await recipe.fill(await Rootfs.create(root))
      await packImage(root, recipe.reference, recipe.config, join(output, 'image.tar'), recipe.capabilities)
      await rm(root, { recursive: true })
    },
  }
}

export const archiveRecipes = (): Promise<Recipe[]> =>
  Promise.all(Object.entries(imageRecipes).map(([name, recipe]) => archiveRecipe(name, recipe)))

/** Paths of all image archives, built where the cache has none. */
export async function buildArchives(): Promise<string[]> {
  const archives: string[] = []
  for (const recipe of await archiveRecipes()) archives.push(join((await cached(recipe)).directory, 'image.tar'))
  return archives
}
