import { KANIKO_IMAGE } from '../skaffold/kaniko.ts'
import type { BuildPod } from './job.ts'

export const BUILDERS = ['kaniko', 'buildkit'] as const
export type Builder = (typeof BUILDERS)[number]

export type BuildSteps = {
  /** Of the builder, where the usual one is not wanted. */
  readonly image?: string
  /** Path inside the context. */
  readonly dockerfile: string
  readonly buildArgs: readonly string[]
  /** The stage of the Dockerfile to stop at; the last one where it is absent. */
  readonly target?: string
  readonly destination: string
  /** Such as linux/arm64; that of the node where it is absent. BuildKit takes several, with commas. */
  readonly platform?: string
  /** For BuildKit: as root with all rights on its node, where that has no user namespaces. */
  readonly privileged: boolean
}

type Container = Pick<BuildPod, 'container' | 'annotations' | 'volumes'>

/** What runs in the pod: it takes a gzipped tar on stdin and leaves the digest as its last message. */
export const builderContainer: Readonly<Record<Builder, (steps: BuildSteps) => Container>> = {
  kaniko: ({ image = KANIKO_IMAGE, dockerfile, buildArgs, target, destination, platform }) => ({
    container: {
      image,
      args: [
        '--context=tar://stdin',
        `--dockerfile=${dockerfile}`,
        `--destination=${destination}`,
        ...buildArgs.map((one) => `--build-arg=${one}`),
        ...(target === undefined ? [] : [`--target=${target}`]),
        ...(platform === undefined ? [] : [`--custom-platform=${platform}`]),
        '--digest-file=/dev/termination-log',
        '--push-retry=2',
        // It finds out that it is in a container by files that not every runtime has.
        '--force',
      ],
    },
    annotations: {},
    volumes: [],
  }),
  buildkit: ({ image = BUILDKIT_IMAGE, dockerfile, buildArgs, target, destination, privileged, platform }) => {
    const slash = dockerfile.lastIndexOf('/')
    const name = 'state'
    return {
      container: {
        image,
        command: [
          ...['sh', '-ec', BUILDKIT_SCRIPT, 'build', '--progress=plain', '--frontend=dockerfile.v0'],
          `--local=context=${CONTEXT}`,
          `--local=dockerfile=${slash < 0 ? CONTEXT : `${CONTEXT}/${dockerfile.slice(0, slash)}`}`,
          `--opt=filename=${dockerfile.slice(slash + 1)}`,
          ...buildArgs.map((one) => `--opt=build-arg:${one}`),
          ...(target === undefined ? [] : [`--opt=target=${target}`]),
          ...(platform === undefined ? [] : [`--opt=platform=${platform}`]),
          `--output=type=image,name=${destination},push=true`,
          '--metadata-file=/tmp/metadata.json',
        ],
        env: [
          { name: 'BUILDKITD_FLAGS', value: privileged ? '' : '--oci-worker-no-process-sandbox' },
          { name: 'BUILDCTL_CONNECT_RETRIES_MAX', value: '30' },
        ],
        securityContext: privileged ? { privileged: true } : ROOTLESS,
        // Its snapshots cannot be on top of the container's own overlay.
        volumeMounts: [{ name, mountPath: privileged ? '/var/lib/buildkit' : '/home/user/.local/share/buildkit' }],
      },
      annotations: {},
      volumes: [{ name, emptyDir: {} }],
    }
  },
}

const BUILDKIT_IMAGE = 'docker.io/moby/buildkit:v0.34.2-rootless'
const CONTEXT = '/tmp/context'

/** The daemon lives as long as the build; what buildctl says of it is its digest. */
const BUILDKIT_SCRIPT = `mkdir -p ${CONTEXT}
tar -xzf - -C ${CONTEXT}
buildctl-daemonless.sh "$0" "$@"
sed -n 's/.*"containerimage.digest": *"\\(sha256:[0-9a-f]*\\)".*/\\1/p' /tmp/metadata.json >/dev/termination-log`

/** As https://github.com/moby/buildkit/blob/master/docs/rootless.md has it: it makes user namespaces, which these profiles forbid. */
const ROOTLESS = {
  runAsUser: 1000,
  runAsGroup: 1000,
  seccompProfile: { type: 'Unconfined' },
  appArmorProfile: { type: 'Unconfined' },
} as const
