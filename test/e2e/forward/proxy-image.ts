import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { cached } from '../../lab/cache.ts'
import { archiveRecipe } from '../../lab/images/images.ts'
import { imageRecipes } from '../../lab/images/recipes.ts'
import { run } from '../cluster.ts'
import type { Docker } from './docker.ts'

type Index = { readonly manifests: readonly { readonly digest: string }[] }
type Manifest = { readonly layers: readonly { readonly digest: string }[] }

const blob = (digest: string): string => `blobs/${digest.replace(':', '/')}`

/** The lab's proxy image, whose archive is an OCI layout, in a dockerd that may be too old to load one; its name. */
export async function importProxyImage(docker: Docker): Promise<string> {
  const recipe = imageRecipes.proxyv2
  if (recipe === undefined) throw new Error('the lab has no proxy image')
  const { directory } = await cached(await archiveRecipe('proxyv2', recipe))
  const layout = await mkdtemp(join(tmpdir(), 'regctl-image-'))
  try {
    await run(['tar', '-C', layout, '-xf', join(directory, 'image.tar')])
    const json = async <T>(file: string): Promise<T> => JSON.parse(await readFile(join(layout, file), 'utf8'))
    const [manifest] = (await json<Index>('index.json')).manifests
    const [layer] = (await json<Manifest>(blob(manifest?.digest ?? ''))).layers
    const imported = await docker.run(['import', join(layout, blob(layer?.digest ?? '')), recipe.reference])
    if (imported.exitCode !== 0) throw new Error(`docker import: ${imported.stderr}`)
    return recipe.reference
  } finally {
    await rm(layout, { recursive: true })
  }
}
