import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { installPackages } from '../../lab/debian.ts'
import { type Run, type RunOptions, run } from '../cluster.ts'

type Argv = readonly ['podman' | 'buildah', ...string[]]

/** Real podman and buildah with storage and settings of their own. */
export type Podman = AsyncDisposable & {
  /** Its `.config/containers` is where drop-in files for them go. */
  readonly home: string
  /** `podman …` or `buildah …`. Neither can run containers without CAP_SYS_RESOURCE; builds take `--isolation chroot`. */
  readonly run: (argv: Argv, options?: RunOptions) => Promise<Run>
  /** What `run` runs, for whoever runs it elsewhere. */
  readonly command: (argv: Argv) => { readonly argv: readonly string[]; readonly env: Readonly<Record<string, string>> }
}

/** For root, some of their state is in /var/lib/containers whatever the settings say: there they see a directory of ours. */
const APART = 'mkdir -p /var/lib/containers && mount --bind "$0" /var/lib/containers && exec "$@"'

export async function podmanClient(): Promise<Podman> {
  await installPackages({ podman: '/usr/bin/podman', buildah: '/usr/bin/buildah' })
  const home = await mkdtemp(join(tmpdir(), 'regctl-podman-'))
  const state = join(home, 'state')
  const settings = join(home, '.config', 'containers')
  await mkdir(state)
  await mkdir(settings, { recursive: true })
  await writeFile(join(settings, 'policy.json'), JSON.stringify({ default: [{ type: 'insecureAcceptAnything' }] }))
  const storage = join(settings, 'storage.conf')
  await writeFile(
    storage,
    `[storage]\ndriver = "vfs"\ngraphroot = "/var/lib/containers/storage"\nrunroot = "${join(home, 'run')}"\n`,
  )
  const engine = join(settings, 'containers.conf')
  await writeFile(engine, `[engine]\ntmp_dir = "${join(home, 'tmp')}"\n`)
  const command = (argv: Argv) => ({
    argv: ['unshare', '--mount', '--propagation=private', 'sh', '-c', APART, state, ...argv],
    env: { HOME: home, CONTAINERS_STORAGE_CONF: storage, CONTAINERS_CONF: engine },
  })
  return {
    home,
    command,
    run: (argv, options = {}) => run(command(argv).argv, { ...options, env: { ...options.env, ...command(argv).env } }),
    [Symbol.asyncDispose]: () => rm(home, { recursive: true, force: true, maxRetries: 5 }),
  }
}
