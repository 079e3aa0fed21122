import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { cached, type Recipe, texts } from './cache.ts'
import { run } from './command.ts'
import { source } from './paths.ts'

export interface GoSet {
  readonly module: string
  readonly packages: readonly string[]
  readonly ldflags?: readonly string[]
}

const kubernetesVersion = 'k8s.io/component-base/version'
const istioVersion = 'istio.io/istio/pkg/version'

/** One set per Go module: its commands share most packages, so they are built in one go. */
export const goSets = {
  kubernetes: {
    module: 'kubernetes',
    packages: ['.'],
    ldflags: [
      `-X ${kubernetesVersion}.gitVersion=v1.36.3`,
      `-X ${kubernetesVersion}.gitMajor=1`,
      `-X ${kubernetesVersion}.gitMinor=36`,
    ],
  },
  istio: {
    module: 'istio',
    packages: [
      'istio.io/istio/pilot/cmd/pilot-discovery',
      'istio.io/istio/pilot/cmd/pilot-agent',
      'istio.io/istio/istioctl/cmd/istioctl',
    ],
    ldflags: [`-X ${istioVersion}.buildVersion=1.31.0`, `-X ${istioVersion}.buildTag=1.31.0`],
  },
  oci: {
    module: 'oci',
    packages: [
      'github.com/distribution/distribution/v3/cmd/registry',
      'github.com/google/go-containerregistry/cmd/crane',
    ],
  },
  coredns: { module: 'coredns', packages: ['github.com/coredns/coredns'] },
  kaniko: { module: 'kaniko', packages: ['github.com/GoogleContainerTools/kaniko/cmd/executor'] },
} satisfies Record<string, GoSet>

/** Tools that only some suites use and nothing in the cluster needs: built when asked for. */
export const extraSets = {
  skaffold: {
    module: 'skaffold',
    packages: ['github.com/GoogleContainerTools/skaffold/v2/cmd/skaffold'],
    ldflags: ['-X github.com/GoogleContainerTools/skaffold/v2/pkg/skaffold/version.version=v2.16.1'],
  },
  helm: {
    module: 'helm',
    packages: ['helm.sh/helm/v3/cmd/helm'],
    ldflags: ['-X helm.sh/helm/v3/internal/version.version=v3.22.0'],
  },
  conformance: { module: 'conformance', packages: ['github.com/opencontainers/distribution-spec/conformance'] },
  // Not its regctl, which would stand in the way of ours.
  regclient: { module: 'regclient', packages: ['github.com/regclient/regclient/cmd/regsync'] },
  ko: { module: 'ko', packages: ['github.com/google/ko'] },
  buildkit: {
    module: 'buildkit',
    packages: ['github.com/moby/buildkit/cmd/buildctl', 'github.com/moby/buildkit/cmd/buildkitd'],
    ldflags: ['-X github.com/moby/buildkit/version.Version=v0.34.2'],
  },
  // At the version BuildKit's own rootless image has.
  rootlesskit: { module: 'rootlesskit', packages: ['github.com/rootless-containers/rootlesskit/v3/cmd/rootlesskit'] },
  buildx: {
    module: 'buildx',
    packages: ['github.com/docker/buildx/cmd/buildx'],
    ldflags: ['-X github.com/docker/buildx/version.Version=v0.38.2'],
  },
} satisfies Record<string, GoSet>

const environment = { CGO_ENABLED: '0', GOFLAGS: '', GOWORK: 'off' }

export async function goRecipe(set: GoSet): Promise<Recipe> {
  const directory = join(source, 'go', set.module)
  const flags = [
    '-mod=readonly',
    '-trimpath',
    '-buildvcs=false',
    '-ldflags',
    ['-s', '-w', ...(set.ldflags ?? [])].join(' '),
  ]
  const names = (await readdir(directory)).sort()
  const version = await run(['go', 'env', 'GOVERSION', 'GOARCH'], { cwd: directory, env: environment })
  return {
    name: `go-${set.module}`,
    inputs: [version, ...flags, ...set.packages, ...names, ...(await texts(directory, names))],
    build: async (output) => {
      await run(['go', 'build', ...flags, '-o', `${output}/`, ...set.packages], { cwd: directory, env: environment })
    },
  }
}

export const buildGo = async (set: GoSet): Promise<string> => (await cached(await goRecipe(set))).directory

/** A module's unpacked source, for the few files that images take from it. */
export function moduleDirectory(set: GoSet, path: string): Promise<string> {
  return run(['go', 'list', '-mod=readonly', '-m', '-f', '{{.Dir}}', path], {
    cwd: join(source, 'go', set.module),
    env: environment,
  })
}
