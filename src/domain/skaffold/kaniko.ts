/**
 * What a build by Kaniko in the cluster needs said. Skaffold's own default is the image of the archived project;
 * https://github.com/osscontainertools/kaniko continues it.
 */
export const KANIKO_IMAGE = 'ghcr.io/osscontainertools/kaniko:v1.27.6'

/** Receives the build context; it needs tar and a /tmp, and Skaffold's default is no longer looked after. */
export const INIT_IMAGE = 'docker.io/library/busybox:1.37'

/** The label Skaffold gives its Kaniko pods, by which policies and Sidecars find them. */
export const KANIKO_LABEL = { 'skaffold-kaniko': 'skaffold-kaniko' } as const

/** Names of the containers in Skaffold's Kaniko pods. */
export const KANIKO_CONTAINER = 'kaniko'
export const KANIKO_INIT_CONTAINER = 'kaniko-init-container'

/** Makes Istio's proxy a native sidecar, which ends with the build, where istiod does not by itself. */
export const NATIVE_SIDECAR = { 'sidecar.istio.io/nativeSidecar': 'true' } as const

/** Repository for layers to build on: below the grant, where the builder may write. */
export const cacheRepository = (registry: string, repository: string): string => `${registry}/${repository}/cache`

/** Fields of a `docker` artifact that Kaniko has no counterpart for. */
const DOCKER_ONLY = ['network', 'addHost', 'cacheFrom', 'cliFlags', 'pullParent', 'squash', 'secrets', 'ssh'] as const

export const lostFields = (docker: Readonly<Record<string, unknown>>): readonly string[] =>
  DOCKER_ONLY.filter((field) => field in docker)
