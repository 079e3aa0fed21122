import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, open, readFile, rm, rmdir, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { removeGroups } from '../../lab/cgroups.ts'
import { until } from '../../lab/command.ts'
import { installPackages } from '../../lab/debian.ts'
import { eventually, type Run, type RunOptions, run } from '../cluster.ts'

/** A real dockerd of our own, beside any other on the machine. */
export type Docker = AsyncDisposable & {
  /** For DOCKER_HOST. */
  readonly host: string
  /** A directory for the PATH, so that `docker` is the one that fits. */
  readonly path: string
  /** The directory of its client's configuration. */
  readonly config: string
  readonly run: (args: readonly string[], options?: RunOptions) => Promise<Run>
}

/** What it is to take for the machine's own: a file for /etc/hosts, certificates it trusts. */
export type DockerOptions = { readonly hosts?: string; readonly roots?: string }

const DOCKER = '/usr/bin/docker'

/** What dockerd and its containerd make whatever they are told, the deepest first. */
const STRAYS = [
  ...['/etc/docker/key.json', '/etc/docker', '/run/docker/plugins', '/run/docker'],
  ...['/opt/containerd/bin', '/opt/containerd/lib', '/opt/containerd'],
]

/**
 * Starts dockerd with its own data, socket and containerd. It makes no bridge and no firewall rule: its containers use the
 * host's network or none, which is all a registry's client needs. Its mounts are in a namespace that goes with it, and it
 * goes with us however we end.
 */
export async function startDocker({ hosts, roots }: DockerOptions = {}): Promise<Docker> {
  await installPackages({ 'docker.io': '/usr/sbin/dockerd' })
  const directory = await mkdtemp(join(tmpdir(), 'regctl-docker-'))
  const host = `unix://${directory}/docker.sock`
  const config = join(directory, 'config')
  await mkdir(config)
  await mkdir(join(directory, 'bin'))
  await symlink(DOCKER, join(directory, 'bin', 'docker'))
  const log = await open(join(directory, 'log'), 'w')
  const group = basename(directory)
  const strays = STRAYS.filter((path) => !existsSync(path))
  const daemon = spawn(
    'setpriv',
    [
      ...['--pdeathsig=TERM', 'unshare', '--mount', '--propagation=private'],
      ...(hosts === undefined ? [] : ['sh', '-c', 'mount --bind "$0" /etc/hosts && exec "$@"', hosts]),
      '/usr/sbin/dockerd',
      ...['--host', host, '--data-root', join(directory, 'data'), '--exec-root', join(directory, 'exec')],
      ...['--pidfile', join(directory, 'pid'), '--bridge=none', '--iptables=false', '--ip6tables=false'],
      ...['--ip-forward=false', '--shutdown-timeout=3', '--cgroup-parent', `/${group}`],
    ],
    {
      stdio: ['ignore', log.fd, log.fd],
      env: { ...process.env, ...(roots === undefined ? {} : { SSL_CERT_FILE: roots }) },
    },
  )
  const docker = (args: readonly string[], options: RunOptions = {}): Promise<Run> =>
    run([DOCKER, ...args], {
      ...options,
      env: { ...options.env, DOCKER_HOST: host, DOCKER_CONFIG: config },
    })
  const stop = async (): Promise<void> => {
    await ended(daemon)
    await log.close()
    await until("dockerd's cgroups are empty", async () => removeGroups(group), 10)
    await removeStrays(strays)
    await rm(directory, { recursive: true, force: true, maxRetries: 5 })
  }
  try {
    await eventually(
      async () => {
        const { exitCode, stderr } = await docker(['version'])
        if (exitCode !== 0) throw new Error(`dockerd: ${stderr}\n${await readFile(join(directory, 'log'), 'utf8')}`)
      },
      { timeout: 30_000, every: 300 },
    )
  } catch (error) {
    await stop()
    throw error
  }
  return { host, path: join(directory, 'bin'), config, run: docker, [Symbol.asyncDispose]: stop }
}

/** Of what was not there before. Directories go when they are empty: somebody else's dockerd may have come meanwhile. */
async function removeStrays(paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    if (path.endsWith('.json')) await rm(path, { force: true })
    else await rmdir(path).catch(() => undefined)
  }
}

/** dockerd ends its containers and its containerd by itself on SIGTERM. */
async function ended(daemon: ChildProcess): Promise<void> {
  if (daemon.exitCode !== null) return
  const over = once(daemon, 'exit')
  daemon.kill('SIGTERM')
  await over
}
