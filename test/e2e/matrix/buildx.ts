import { join } from 'node:path'
import { extraTool } from '../../lab/tools.ts'
import { startDocker } from '../forward/docker.ts'
import { buildkitImage } from '../images.ts'
import { type Project, RUN_DOCKERFILE, succeed } from './workstation.ts'

const buildx = async (home: string, args: readonly string[], env: Readonly<Record<string, string>> = {}) =>
  succeed([await extraTool('buildx'), ...args], { env: { HOME: home, BUILDX_CONFIG: join(home, 'buildx'), ...env } })

/** With the builder it has by itself, the BuildKit in the docker daemon. */
export async function pushHere({ directory, context }: Project, image: string): Promise<void> {
  await using docker = await startDocker()
  const home = join(directory, 'buildx-here')
  const env = { DOCKER_HOST: docker.host }
  await buildx(home, ['build', '--builder=default', '--push', '--provenance=false', '-t', image, context], env)
}

/** With a BuildKit that buildx itself starts in a granted namespace. */
export async function pushThere({ directory, context }: Project, namespace: string, image: string): Promise<void> {
  const home = join(directory, 'buildx-there')
  const options = `namespace=${namespace},image=${await buildkitImage('root')}`
  await buildx(home, ['create', '--name=regctl-e2e', '--driver=kubernetes', `--driver-opt=${options}`])
  try {
    const file = join(context, RUN_DOCKERFILE)
    await buildx(home, [
      'build',
      '--builder=regctl-e2e',
      '--push',
      '--provenance=false',
      '-t',
      image,
      '-f',
      file,
      context,
    ])
  } finally {
    await buildx(home, ['rm', 'regctl-e2e'])
  }
}
