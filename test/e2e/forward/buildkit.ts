import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, open, readFile, rm, rmdir, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { removeGroups } from '../../lab/cgroups.ts'
import { until } from '../../lab/command.ts'
import { extraTool } from '../../lab/tools.ts'
import { eventually, type Run, type RunOptions, run } from '../cluster.ts'
import type { DockerOptions } from './docker.ts'

/** A real buildkitd of our own. */
export type Buildkit = AsyncDisposable & {
  /** For `buildctl --addr` and buildx's remote driver. */
  readonly address: string
  readonly run: (args: readonly string[], options?: RunOptions) => Promise<Run>
}

/** As dockerd's: mounts in a namespace that goes with it, and it goes with us. */
export async function startBuildkit({ hosts, roots }: DockerOptions = {}): Promise<Buildkit> {
  const buildctl = await extraTool('buildkit', 'buildctl')
  const directory = await mkdtemp(join(tmpdir(), 'regctl-buildkit-'))
  const group = basename(directory)
  const settings = join(directory, 'buildkitd.toml')
  await writeFile(settings, `[worker.oci]\ndefaultCgroupParent = "/${group}"\n`)
  const address = `unix://${directory}/buildkitd.sock`
  const log = await open(join(directory, 'log'), 'w')
  const trusted = roots === undefined ? {} : { SSL_CERT_FILE: roots }
  const daemon = spawn(
    'setpriv',
    [
      ...['--pdeathsig=TERM', 'unshare', '--mount', '--propagation=private'],
      ...(hosts === undefined ? [] : ['sh', '-c', 'mount --bind "$0" /etc/hosts && exec "$@"', hosts]),
      ...[await extraTool('buildkit', 'buildkitd'), '--addr', address, '--root', join(directory, 'root')],
      ...['--config', settings, '--containerd-worker=false', '--oci-worker-net=host', '--oci-worker-binary=runc'],
      ...['--oci-worker-snapshotter=native', '--otel-socket-path', join(directory, 'otel.sock')],
      '--cdi-disabled',
    ],
    { stdio: ['ignore', log.fd, log.fd], env: { ...process.env, ...trusted, PATH: `${process.env.PATH}:/usr/sbin` } },
  )
  const client = (args: readonly string[], options: RunOptions = {}): Promise<Run> =>
    run([buildctl, '--addr', address, ...args], options)
  const stop = async (): Promise<void> => {
    if (daemon.exitCode === null) {
      const over = once(daemon, 'exit')
      daemon.kill('SIGTERM')
      await over
    }
    await log.close()
    await until("buildkitd's cgroups are empty", async () => removeGroups(group), 10)
    // runc's own, whatever buildkitd is told; it stays where somebody else's runc uses it.
    await rmdir('/run/runc').catch(() => undefined)
    await rm(directory, { recursive: true, force: true, maxRetries: 5 })
  }
  try {
    await eventually(
      async () => {
        const { exitCode, stderr } = await client(['debug', 'workers'])
        if (exitCode !== 0) throw new Error(`buildkitd: ${stderr}\n${await readFile(join(directory, 'log'), 'utf8')}`)
      },
      { timeout: 30_000, every: 300 },
    )
  } catch (error) {
    await stop()
    throw error
  }
  return { address, run: client, [Symbol.asyncDispose]: stop }
}
