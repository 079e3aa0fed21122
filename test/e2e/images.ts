import { extraImage } from '../lab/images/extra.ts'
import { lab } from './cluster.ts'

const fromEnvironment = (name: string, fallback: string): string => process.env[name] ?? fallback

/** Images of the suites; on a cluster of the user's they come from the environment. */
export const images = {
  registry: lab?.images.registry ?? fromEnvironment('REGCTL_E2E_REGISTRY', 'docker.io/library/registry:3'),
  kaniko: lab?.images.kaniko ?? fromEnvironment('REGCTL_E2E_KANIKO', 'gcr.io/kaniko-project/executor:v1.24.0'),
  toolbox: lab?.images.toolbox ?? fromEnvironment('REGCTL_E2E_TOOLBOX', 'docker.io/curlimages/curl:8.16.0'),
} as const

export const upFlags = ['--image', images.registry, '--size', '1Gi'] as const

/** BuildKit's, with root's daemon: the lab loads it when a suite asks. */
export const buildkitImage = async (): Promise<string> =>
  lab === undefined
    ? fromEnvironment('REGCTL_E2E_BUILDKIT', 'docker.io/moby/buildkit:v0.34.2')
    : await extraImage('buildkit')
