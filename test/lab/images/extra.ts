import { chmod } from 'node:fs/promises'
import { join } from 'node:path'
import { cached } from '../cache.ts'
import { buildGo, extraSets, moduleDirectory } from '../go-build.ts'
import { places } from '../network.ts'
import { loadImages } from '../node.ts'
import { archiveRecipe } from './images.ts'
import type { ImageRecipe } from './recipes.ts'

/** Images that nothing in the cluster needs: built and loaded when a suite asks. */
const recipes = {
  // As upstream's moby/buildkit, with Debian's runc.
  buildkit: {
    reference: 'docker.io/lab/buildkit:dev',
    config: {
      Entrypoint: ['buildkitd'],
      Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'],
    },
    fill: async (rootfs) => {
      const programs = await buildGo(extraSets.buildkit)
      const module = await moduleDirectory(extraSets.buildkit, 'github.com/moby/buildkit')
      await rootfs.base()
      await rootfs.busybox()
      for (const name of ['buildkitd', 'buildctl']) await rootfs.copy(join(programs, name), `/usr/bin/${name}`)
      await rootfs.program('/usr/sbin/runc', '/usr/bin/buildkit-runc')
      const script = join(module, 'examples/buildctl-daemonless/buildctl-daemonless.sh')
      await rootfs.copy(script, '/usr/bin/buildctl-daemonless.sh')
      // The module cache keeps no executable bit.
      await chmod(join(rootfs.root, 'usr/bin/buildctl-daemonless.sh'), 0o755)
      await rootfs.directory('/var/lib/buildkit')
    },
  },
} satisfies Record<string, ImageRecipe>

/** Loads an extra image on every node of the running lab; its reference. */
export async function extraImage(name: keyof typeof recipes): Promise<string> {
  const recipe = recipes[name]
  const { directory } = await cached(await archiveRecipe(name, recipe, [extraSets[name]]))
  for (const place of places) await loadImages(place, [join(directory, 'image.tar')])
  return recipe.reference
}
