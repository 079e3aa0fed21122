import { chmod } from 'node:fs/promises'
import { join } from 'node:path'
import { cached } from '../cache.ts'
import { run } from '../command.ts'
import { installPackages } from '../debian.ts'
import { buildGo, extraSets, type GoSet, moduleDirectory } from '../go-build.ts'
import { places } from '../network.ts'
import { loadImages } from '../node.ts'
import { archiveRecipe } from './images.ts'
import type { ImageRecipe } from './recipes.ts'
import type { Rootfs } from './rootfs.ts'

/** What both variants of upstream's moby/buildkit have, with Debian's runc. */
async function buildkit(rootfs: Rootfs): Promise<void> {
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
}

const path = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

type ExtraRecipe = ImageRecipe & { readonly sets: readonly GoSet[] }

/** Images that nothing in the cluster needs: built and loaded when a suite asks. */
const recipes = {
  buildkit: {
    reference: 'docker.io/lab/buildkit:dev',
    config: { Entrypoint: ['buildkitd'], Env: [path] },
    sets: [extraSets.buildkit],
    fill: async (rootfs) => {
      await buildkit(rootfs)
      await rootfs.directory('/var/lib/buildkit')
    },
  },
  'buildkit-rootless': {
    reference: 'docker.io/lab/buildkit:rootless',
    config: {
      Entrypoint: ['rootlesskit', 'buildkitd'],
      User: '1000:1000',
      Env: [
        ...[path, 'HOME=/home/user', 'USER=user', 'XDG_RUNTIME_DIR=/run/user/1000', 'TMPDIR=/home/user/.local/tmp'],
        'BUILDKIT_HOST=unix:///run/user/1000/buildkit/buildkitd.sock',
      ],
    },
    sets: [extraSets.buildkit, extraSets.rootlesskit],
    capabilities: true,
    fill: async (rootfs) => {
      await installPackages({ uidmap: '/usr/bin/newuidmap', 'libcap2-bin': '/usr/sbin/setcap' })
      await buildkit(rootfs)
      await rootfs.copy(join(await buildGo(extraSets.rootlesskit), 'rootlesskit'), '/usr/bin/rootlesskit')
      for (const name of ['newuidmap', 'newgidmap']) {
        await rootfs.program(`/usr/bin/${name}`)
        // As Alpine's. With the set-user-ID bit instead they need CAP_SYS_ADMIN, which pods have not.
        const capability = name === 'newuidmap' ? 'cap_setuid+ep' : 'cap_setgid+ep'
        await chmod(join(rootfs.root, 'usr/bin', name), 0o755)
        await run(['setcap', capability, join(rootfs.root, 'usr/bin', name)])
      }
      for (const name of ['subuid', 'subgid']) await rootfs.text(`/etc/${name}`, 'user:100000:65536\n')
      await rootfs.text('/etc/passwd', 'root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000::/home/user:/bin/sh\n')
      await rootfs.text('/etc/group', 'root:x:0:\nuser:x:1000:\n')
      // Layers of the lab are root's; upstream's are the user's own.
      for (const directory of ['/run/user/1000', '/home/user', '/home/user/.local', '/home/user/.local/tmp'])
        await rootfs.directory(directory, 0o777)
      await rootfs.directory('/home/user/.local/share/buildkit', 0o777)
    },
  },
} satisfies Record<string, ExtraRecipe>

/** Path of an extra image, an OCI layout in a tar. */
export async function extraArchive(name: keyof typeof recipes): Promise<string> {
  const { sets, ...recipe }: ExtraRecipe = recipes[name]
  const { directory } = await cached(await archiveRecipe(name, recipe, sets, 'extra.ts'))
  return join(directory, 'image.tar')
}

/** Loads an extra image on every node of the running lab; its reference. */
export async function extraImage(name: keyof typeof recipes): Promise<string> {
  const archive = await extraArchive(name)
  for (const place of places) await loadImages(place, [archive])
  return recipes[name].reference
}
