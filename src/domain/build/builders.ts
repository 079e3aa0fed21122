import { KANIKO_IMAGE } from '../skaffold/kaniko.ts'
import type { BuildPod } from './job.ts'

export const BUILDERS = ['kaniko'] as const
export type Builder = (typeof BUILDERS)[number]

export type BuildSteps = {
  /** Of the builder, where the usual one is not wanted. */
  readonly image?: string
  /** Path inside the context. */
  readonly dockerfile: string
  readonly buildArgs: readonly string[]
  readonly destination: string
}

type Container = Pick<BuildPod, 'container' | 'annotations' | 'volumes'>

/** What runs in the pod: it takes a gzipped tar on stdin and leaves the digest as its last message. */
export const builderContainer: Readonly<Record<Builder, (steps: BuildSteps) => Container>> = {
  kaniko: ({ image = KANIKO_IMAGE, dockerfile, buildArgs, destination }) => ({
    container: {
      image,
      args: [
        '--context=tar://stdin',
        `--dockerfile=${dockerfile}`,
        `--destination=${destination}`,
        ...buildArgs.map((one) => `--build-arg=${one}`),
        '--digest-file=/dev/termination-log',
        '--push-retry=2',
        // It finds out that it is in a container by files that not every runtime has.
        '--force',
      ],
    },
    annotations: {},
    volumes: [],
  }),
}
