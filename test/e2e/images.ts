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

const loaded = new Map<string, Promise<string>>()

/** BuildKit's two: the lab loads them when a suite asks, once for all tests of it. */
export const buildkitImage = async (variant: 'root' | 'rootless'): Promise<string> => {
  if (lab !== undefined) {
    const loading = loaded.get(variant) ?? extraImage(variant === 'root' ? 'buildkit' : 'buildkit-rootless')
    loaded.set(variant, loading)
    return loading
  }
  return variant === 'root'
    ? fromEnvironment('REGCTL_E2E_BUILDKIT', 'docker.io/moby/buildkit:v0.34.2')
    : fromEnvironment('REGCTL_E2E_BUILDKIT_ROOTLESS', 'docker.io/moby/buildkit:v0.34.2-rootless')
}
