const series = (name: string, last: number): readonly string[] =>
  Array.from({ length: last }, (_, index) => `${name}${index + 1}`)

/** Every apiVersion Skaffold 2 reads, oldest first (pkg/skaffold/schema/versions.go of 2.16.1). */
export const VERSIONS: readonly string[] = [
  ...series('v1alpha', 5),
  ...series('v1beta', 17),
  'v1',
  ...series('v2alpha', 4),
  ...series('v2beta', 29),
  'v3alpha1',
  'v3',
  ...series('v4beta', 13),
]

const PREFIX = 'skaffold/'
const ORDER = new Map(VERSIONS.map((version, index) => [PREFIX + version, index]))

export const isKnown = (apiVersion: string): boolean => ORDER.has(apiVersion)

export const LATEST = `${PREFIX}${VERSIONS.at(-1)}`

const atLeast = (apiVersion: string, version: string): boolean =>
  (ORDER.get(apiVersion) ?? -1) >= (ORDER.get(PREFIX + version) ?? 0)

/** `build.insecureRegistries` came with v1beta8; a field a version does not know makes Skaffold refuse the file. */
export const knowsInsecureRegistries = (apiVersion: string): boolean => atLeast(apiVersion, 'v1beta8')

/** `build.cluster` with `kaniko` at each artifact came with v1beta7, patches in profiles before that. */
export const knowsCluster = (apiVersion: string): boolean => atLeast(apiVersion, 'v1beta7')
