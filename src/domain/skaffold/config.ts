import { conflictError } from '../../errors.ts'
import { isRecord } from './addition.ts'
import { isKnown, LATEST } from './versions.ts'
import { isMap, pairOf, parseYaml, type YamlText } from './yaml-text.ts'

type Fields = Readonly<Record<string, unknown>>

/** What builds an artifact; `unset` is the builder's default. */
export type ArtifactType = 'docker' | 'kaniko' | 'custom' | 'jib' | 'bazel' | 'buildpacks' | 'ko' | 'unset'

export type Artifact = {
  readonly index: number
  readonly image: string
  readonly type: ArtifactType
  /** The fields below `docker`, `kaniko` and so on. */
  readonly fields: Fields
}

export type Builder = 'local' | 'cluster' | 'googleCloudBuild'

/** One document of a skaffold.yaml, as far as images are concerned. */
export type SkaffoldConfig = {
  readonly document: number
  readonly apiVersion: string
  readonly name?: string
  readonly value: Fields
}

export type SkaffoldFile = YamlText & { readonly configs: readonly SkaffoldConfig[] }

/** @throws conflict errors INVALID_YAML, UNKNOWN_API_VERSION, with line and column */
export function parseSkaffold(name: string, text: string): SkaffoldFile {
  const file = parseYaml(name, text)
  const configs = file.documents.flatMap(({ contents, value }, document): SkaffoldConfig[] => {
    if (value === null) return []
    const version = isMap(contents) ? pairOf(contents, 'apiVersion')?.value : undefined
    const { line, col } = file.lines.linePos(version?.range?.[0] ?? contents?.range?.[0] ?? 0)
    const apiVersion = isRecord(value) ? value.apiVersion : undefined
    if (!isRecord(value) || typeof apiVersion !== 'string' || !isKnown(apiVersion)) {
      const what = typeof apiVersion === 'string' ? `apiVersion "${apiVersion}"` : 'a document without an apiVersion'
      throw conflictError('UNKNOWN_API_VERSION', `${name}:${line}:${col}: ${what} is none Skaffold 2 reads`, {
        suggestions: [`use ${LATEST} or an older one, or name another file with --file`],
      })
    }
    const { metadata } = value
    const given = isRecord(metadata) && typeof metadata.name === 'string' ? { name: metadata.name } : {}
    return [{ document, apiVersion, ...given, value }]
  })
  if (configs.length === 0)
    throw conflictError('NO_CONFIG', `${name} holds no Skaffold configuration`, { suggestions: ['skaffold init'] })
  return { ...file, configs }
}

export const buildOf = (value: Fields): Fields => (isRecord(value.build) ? value.build : {})

export function profilesOf({ value }: Pick<SkaffoldConfig, 'value'>): readonly Fields[] {
  return Array.isArray(value.profiles) ? value.profiles.filter(isRecord) : []
}

export const profileNamed = (config: Pick<SkaffoldConfig, 'value'>, name: string): Fields | undefined =>
  profilesOf(config).find((profile) => profile.name === name)

const TYPES: readonly (readonly [string, ArtifactType])[] = [
  ['docker', 'docker'],
  ['kaniko', 'kaniko'],
  ['custom', 'custom'],
  ['jib', 'jib'],
  ['jibMaven', 'jib'],
  ['jibGradle', 'jib'],
  ['bazel', 'bazel'],
  ['buildpacks', 'buildpacks'],
  ['buildpack', 'buildpacks'],
  ['ko', 'ko'],
]

/** The artifacts of a `build` section. A key without a value is as good as none, as in Go. */
export function artifactsOf(build: Fields): readonly Artifact[] {
  if (!Array.isArray(build.artifacts)) return []
  return build.artifacts.map((artifact: unknown, index) => {
    const spec = isRecord(artifact) ? artifact : {}
    const image = typeof spec.image === 'string' ? spec.image : spec.imageName
    const [key, type] = TYPES.find(([name]) => isRecord(spec[name])) ?? ['', 'unset']
    const fields = spec[key]
    return { index, image: typeof image === 'string' ? image : '', type, fields: isRecord(fields) ? fields : {} }
  })
}

export function builderOf(build: Fields): Builder {
  if (isRecord(build.cluster)) return 'cluster'
  // Until v1beta6 Kaniko was a builder, with the same meaning.
  if (isRecord(build.kaniko)) return 'cluster'
  return isRecord(build.googleCloudBuild) ? 'googleCloudBuild' : 'local'
}

/** Does this document build anything, alone or with one of its profiles? */
export const buildsImages = (config: SkaffoldConfig): boolean =>
  artifactsOf(buildOf(config.value)).length > 0 ||
  profilesOf(config).some((profile) => artifactsOf(buildOf(profile)).length > 0)

/** Every image name the file's documents may push. */
export const imagesOf = (config: SkaffoldConfig): readonly string[] =>
  [buildOf(config.value), ...profilesOf(config).map(buildOf)].flatMap((build) =>
    artifactsOf(build).map(({ image }) => image),
  )
