import { isWithin } from '../repository.ts'
import { isRecord } from './addition.ts'
import { type Artifact, artifactsOf, builderOf, buildOf, type SkaffoldConfig } from './config.ts'
import { repositoryOf } from './images.ts'
import { cacheRepository } from './kaniko.ts'
import { ownPatches } from './own-builder.ts'
import { knowsCluster } from './versions.ts'

export type Patch = {
  readonly op: 'add' | 'move' | 'remove' | 'replace'
  readonly from?: string
  readonly path: string
  readonly value?: unknown
}

export type Profile = {
  readonly name: string
  readonly activation?: readonly { readonly command: string }[]
  readonly build?: Readonly<Record<string, unknown>>
  readonly patches?: readonly Patch[]
}

/** Where and as whom builds in the cluster run. */
export type ClusterBuild = {
  readonly namespace: string
  readonly serviceAccount?: string
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
  /** Skaffold's own Kaniko pods would not do there: `regctl build` is the builder. */
  readonly ownBuilder?: true
}

export type ProfileOptions = {
  readonly name: string
  /** In force without `-p`. */
  readonly activate: boolean
  /** `localhost:5000` */
  readonly registry: string
  readonly repository: string
  readonly kanikoImage: string
  readonly initImage: string
  readonly cluster: ClusterBuild | undefined
}

/** The profile a document needs, or why it gets none (`why` is missing where all is well without). */
export function profileFor(
  config: SkaffoldConfig,
  options: ProfileOptions,
): { readonly profile?: Profile; readonly why?: string } {
  const artifacts = artifactsOf(buildOf(config.value))
  if (artifacts.length === 0) return {}
  const parts =
    options.cluster === undefined
      ? localParts(config, artifacts)
      : clusterParts(config, artifacts, options, options.cluster)
  if (parts === undefined || 'why' in parts) return parts ?? {}
  const { build, patches } = parts
  return {
    profile: {
      name: options.name,
      ...(options.activate ? { activation: [{ command: '.*' }] } : {}),
      ...(build === undefined ? {} : { build }),
      ...(patches.length === 0 ? {} : { patches }),
    },
  }
}

type Parts = { readonly build?: Readonly<Record<string, unknown>>; readonly patches: readonly Patch[] }

/**
 * Patches and not another list of artifacts: what the user changes at an artifact later holds in the profile too.
 * Skaffold applies them to the newest schema, whatever the file's apiVersion.
 */
function clusterParts(
  config: SkaffoldConfig,
  artifacts: readonly Artifact[],
  options: ProfileOptions,
  cluster: ClusterBuild,
): Parts | { readonly why: string } {
  if (!knowsCluster(config.apiVersion))
    return {
      why: `${config.apiVersion} has no builds in the cluster that a profile could set: skaffold fix --overwrite`,
    }
  const others = artifacts.filter(({ type }) => !['docker', 'kaniko', 'custom', 'unset'].includes(type))
  if (others.length > 0)
    return {
      why: `Skaffold cannot build ${others.map(({ image, type }) => `"${image}" (${type})`).join(', ')} in the cluster; it stays with the local builder`,
    }
  const base = buildOf(config.value).cluster
  const patches = [
    ...clusterPatches(cluster, base),
    ...artifacts.flatMap((artifact) =>
      cluster.ownBuilder === true ? ownPatches(artifact, cluster) : kanikoPatches(artifact, options),
    ),
  ]
  return isRecord(base) ? { patches } : { build: { cluster: { namespace: cluster.namespace } }, patches }
}

function clusterPatches({ namespace, serviceAccount, labels, annotations }: ClusterBuild, base: unknown): Patch[] {
  const at = '/build/cluster'
  const kept = isRecord(base) ? base : undefined
  const add = (path: string, value: unknown): Patch => ({ op: 'add', path: `${at}/${path}`, value })
  const entries = (field: string, wanted: Readonly<Record<string, string>>): Patch[] => {
    if (Object.keys(wanted).length === 0) return []
    if (!isRecord(kept?.[field])) return [add(field, wanted)]
    return Object.entries(wanted).map(([key, value]) => add(`${field}/${escaped(key)}`, value))
  }
  return [
    ...(kept === undefined ? [] : [add('namespace', namespace)]),
    ...(serviceAccount === undefined ? [] : [add('serviceAccount', serviceAccount)]),
    ...entries('labels', labels),
    ...entries('annotations', annotations),
  ]
}

/** https://www.rfc-editor.org/rfc/rfc6901#section-3 */
const escaped = (key: string): string => key.replaceAll('~', '~0').replaceAll('/', '~1')

function kanikoPatches({ index, type, fields }: Artifact, options: ProfileOptions): readonly Patch[] {
  const at = `/build/artifacts/${index}`
  const path = `${at}/kaniko`
  const { kanikoImage: image, initImage, registry, repository } = options
  const cache = { repo: cacheRepository(registry, repository) }
  const add = (field: string, value: unknown): Patch => ({ op: 'add', path: `${path}/${field}`, value })
  if (type === 'custom') return []
  if (type === 'unset') return [{ op: 'add', path, value: { image, initImage, cache } }]
  if (type === 'docker')
    return [
      // Dockerfile, target and build arguments stay where the user wrote them; Skaffold drops the rest.
      { op: 'move', from: `${at}/docker`, path },
      add('image', image),
      add('initImage', initImage),
      ...(fields.noCache === true ? [] : [add('cache', cache)]),
    ]
  return [
    ...(typeof fields.image === 'string' ? [] : [add('image', image)]),
    ...(hasInitImage(fields) ? [] : [add('initImage', initImage)]),
    ...(keepsCache(fields, options) ? [] : [add('cache/repo', cache.repo)]),
  ]
}

/** Until v2alpha1 it stood below `buildContext.localDir`. */
function hasInitImage({ initImage, buildContext }: Artifact['fields']): boolean {
  const localDir = isRecord(buildContext) ? buildContext.localDir : undefined
  return typeof initImage === 'string' || (isRecord(localDir) && typeof localDir.initImage === 'string')
}

/** Without a repository of its own the cache goes below the image, so below the grant. */
function keepsCache({ cache }: Artifact['fields'], { registry, repository }: ProfileOptions): boolean {
  if (!isRecord(cache) || typeof cache.repo !== 'string') return true
  const inner = repositoryOf(cache.repo, registry)
  return inner !== undefined && isWithin(inner, repository)
}

/** What a build on the workstation needs where the file builds elsewhere, or does not push. */
function localParts(config: SkaffoldConfig, artifacts: readonly Artifact[]): Parts | undefined {
  const build = buildOf(config.value)
  if (builderOf(build) === 'local') {
    const push = isRecord(build.local) ? build.local.push : undefined
    return push === false ? { patches: [{ op: 'add', path: '/build/local/push', value: true }] } : undefined
  }
  const patches = artifacts
    .filter(({ type }) => type === 'kaniko')
    .map(({ index }): Patch => {
      const at = `/build/artifacts/${index}`
      return { op: 'move', from: `${at}/kaniko`, path: `${at}/docker` }
    })
  return { build: { local: {} }, patches }
}

/** What an earlier run was told, as its profile has it: a run without the flags keeps it. */
export type EarlierChoices = {
  readonly namespace?: string
  readonly kanikoImage?: string
  readonly initImage?: string
  readonly activate: boolean
}

/** @returns undefined where the profile is not one of ours for builds in the cluster */
export function choicesIn(profile: Readonly<Record<string, unknown>>): EarlierChoices | undefined {
  const patches = isOwnProfile(profile) && Array.isArray(profile.patches) ? (profile.patches as readonly Patch[]) : []
  const build = isRecord(profile.build) ? profile.build : {}
  const cluster = isRecord(build.cluster) ? build.cluster : {}
  const values = new Map<string, unknown>([['namespace', cluster.namespace]])
  for (const { path, value } of patches) {
    const [, field] = /^\/build\/(?:cluster|artifacts\/\d+\/kaniko)\/(namespace|image|initImage)$/.exec(path) ?? []
    if (field !== undefined) values.set(field, value)
    else if (isRecord(value)) for (const key of ['image', 'initImage']) if (key in value) values.set(key, value[key])
  }
  const text = (field: string, name: string) =>
    typeof values.get(field) === 'string' ? { [name]: values.get(field) } : {}
  if (!isOwnProfile(profile) || typeof values.get('namespace') !== 'string') return undefined
  return {
    ...text('namespace', 'namespace'),
    ...text('image', 'kanikoImage'),
    ...text('initImage', 'initImage'),
    activate: profile.activation !== undefined,
  }
}

const OWN_PATH = /^\/build\/(cluster|local|artifacts\/\d+\/(kaniko|docker|custom))(\/|$)/

/** Could regctl have written this profile? Then it may be written anew, whoever ran regctl before. */
export function isOwnProfile(profile: Readonly<Record<string, unknown>>): boolean {
  const { name: _name, activation, build, patches, ...others } = profile
  if (Object.keys(others).length > 0 || (build === undefined && patches === undefined)) return false
  const activated = activation === undefined || JSON.stringify(activation) === '[{"command":".*"}]'
  return activated && isOwnBuild(build) && (patches === undefined || isOwnPatches(patches))
}

function isOwnBuild(build: unknown): boolean {
  if (build === undefined) return true
  if (!isRecord(build)) return false
  const [[builder, fields] = ['', undefined], ...more] = Object.entries(build)
  const allowed = builder === 'cluster' ? ['namespace'] : []
  return (
    more.length === 0 &&
    (builder === 'cluster' || builder === 'local') &&
    isRecord(fields) &&
    Object.keys(fields).every((key) => allowed.includes(key))
  )
}

const isOwnPatches = (patches: unknown): boolean =>
  Array.isArray(patches) &&
  patches.length > 0 &&
  patches.every((patch: unknown) => isRecord(patch) && typeof patch.path === 'string' && OWN_PATH.test(patch.path))
