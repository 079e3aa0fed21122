import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { digest, located, texts } from './cache.ts'
import { goRecipe, goSets } from './go-build.ts'
import { archiveRecipes } from './images/images.ts'
import { source } from './paths.ts'

/** Modules whose text is configuration of the running cluster. */
const configuration = ['addons.ts', 'control-plane.ts', 'network.ts', 'node.ts', 'pki.ts', 'provisioner.ts']

/** Tells whether a running lab is the one that this checkout would make. */
export async function fingerprint(): Promise<string> {
  const recipes = [...(await Promise.all(Object.values(goSets).map(goRecipe))), ...(await archiveRecipes())]
  const manifests = join(source, 'manifests')
  return digest([
    ...recipes.map((recipe) => located(recipe).key),
    ...(await texts(source, configuration)),
    ...(await texts(manifests, (await readdir(manifests)).sort())),
  ])
}
