import { type Grant, isDeveloper } from '../policy/grant.ts'
import { isWithin, repositoryName } from '../repository.ts'
import { isRecord } from './addition.ts'
import { type Artifact, artifactsOf, builderOf, type SkaffoldConfig, type SkaffoldFile } from './config.ts'
import { effectiveBuild } from './effective.ts'
import { hasPort, onlyLooksLike, pushedName, repositoryOf } from './images.ts'

/** A reason why Skaffold would not work here, with what mends it. */
export type Problem = { readonly where: string; readonly what: string; readonly fix: string }

/** How Skaffold would name images here. */
export type Naming = {
  readonly registry: string
  readonly defaultRepo: string
  /** Where the default repository comes from, as messages name it. */
  readonly source: string
  readonly multiLevel: boolean
}

export type CheckFacts = {
  readonly naming: Naming
  readonly profile: string
  readonly grants: readonly Grant[]
  /** Namespace of builds that name none. */
  readonly namespace: string
}

/** The builds in the cluster, by the identity they run as. */
export type ClusterUse = {
  readonly where: string
  readonly namespace: string
  readonly serviceAccount?: string
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
  /** Does Skaffold make pods for Kaniko there? A custom builder makes its own. */
  readonly kaniko: boolean
}

export type Checked = {
  readonly problems: readonly Problem[]
  readonly clusterUses: readonly ClusterUse[]
  /** Does anything push from the workstation? */
  readonly pushesHere: boolean
}

export function checkNaming({ registry, defaultRepo, source }: Naming): readonly Problem[] {
  if (defaultRepo === registry || defaultRepo.startsWith(`${registry}/`)) return []
  const what = defaultRepo === '' ? 'no default repository is set' : `the default repository is "${defaultRepo}"`
  return [{ where: source, what: `${what}, so images do not go to ${registry}`, fix: 'regctl skaffold-init' }]
}

export function checkFile(file: SkaffoldFile, facts: CheckFacts): Checked {
  const checked = file.configs.map((config) => checkConfig(file, config, facts))
  return {
    problems: checked.flatMap(({ problems }) => problems),
    clusterUses: checked.flatMap(({ clusterUses }) => clusterUses),
    pushesHere: checked.some(({ pushesHere }) => pushesHere),
  }
}

function checkConfig(file: SkaffoldFile, config: SkaffoldConfig, facts: CheckFacts): Checked {
  const where = config.name === undefined ? file.name : `${file.name} (${config.name})`
  const build = effectiveBuild(config, facts.profile)
  if (build === undefined) {
    const what = `a patch of profile "${facts.profile}" no longer fits the artifacts`
    return { problems: [{ where, what, fix: 'regctl skaffold-init' }], clusterUses: [], pushesHere: false }
  }
  const artifacts = artifactsOf(build)
  if (artifacts.length === 0) return { problems: [], clusterUses: [], pushesHere: false }
  const builder = builderOf(build)
  const names = artifacts.flatMap((artifact) => checkName(where, artifact, facts.naming))
  if (builder === 'googleCloudBuild') {
    const what = 'Google Cloud Build cannot reach the registry'
    return { problems: [...names, { where, what, fix: 'regctl skaffold-init' }], clusterUses: [], pushesHere: false }
  }
  const fits = artifacts.flatMap((artifact) => checkType(where, artifact, builder))
  if (builder === 'local') {
    const off = isRecord(build.local) && build.local.push === false
    const push = { where, what: 'build.local.push is false, so nothing is pushed', fix: 'regctl skaffold-init' }
    return { problems: [...names, ...fits, ...(off ? [push] : [])], clusterUses: [], pushesHere: true }
  }
  const kaniko = artifacts.some(({ type }) => type !== 'custom')
  const use = { ...clusterUse(where, build.cluster, facts.namespace), kaniko }
  const grants = artifacts.flatMap((artifact) => checkGrants(use, artifact, facts))
  return {
    problems: [...names, ...fits, ...unique(grants)],
    clusterUses: [use],
    pushesHere: artifacts.some(({ type }) => type === 'custom'),
  }
}

function clusterUse(where: string, cluster: unknown, fallback: string): Omit<ClusterUse, 'kaniko'> {
  const { namespace, serviceAccount, labels, annotations } = isRecord(cluster) ? cluster : {}
  return {
    where,
    namespace: typeof namespace === 'string' && namespace !== '' ? namespace : fallback,
    ...(typeof serviceAccount === 'string' ? { serviceAccount } : {}),
    labels: (isRecord(labels) ? labels : {}) as Readonly<Record<string, string>>,
    annotations: (isRecord(annotations) ? annotations : {}) as Readonly<Record<string, string>>,
  }
}

function checkName(where: string, { image }: Artifact, naming: Naming): readonly Problem[] {
  const { registry, defaultRepo, multiLevel } = naming
  if (checkNaming(naming).length > 0) return []
  const say = (what: string, fix: string): readonly Problem[] => [{ where, what: `image "${image}" ${what}`, fix }]
  if (onlyLooksLike(image, defaultRepo))
    return say(
      `begins like the default repository "${defaultRepo}", so Skaffold pushes it there as it is`,
      'give the artifact a name without a registry',
    )
  if (image.startsWith(`${defaultRepo}/`)) return []
  if (multiLevel && hasPort(image))
    return say(
      `has a host with a port, which multi-level-repo makes into the invalid name "${pushedName(image, defaultRepo, true)}"`,
      'give the artifact a name without a registry, or: skaffold config set multi-level-repo false',
    )
  const name = pushedName(image, defaultRepo, multiLevel)
  const repository = repositoryOf(name, registry)
  if (repository === undefined) return say(`is pushed to "${name}", not to ${registry}`, 'regctl skaffold-init')
  try {
    repositoryName(repository)
    return []
  } catch (error) {
    return say(`becomes "${name}": ${(error as Error).message}`, 'rename the artifact')
  }
}

/** What Skaffold's own validation refuses (pkg/skaffold/schema/validation). */
function checkType(where: string, { image, type }: Artifact, builder: 'local' | 'cluster'): readonly Problem[] {
  const wrong = builder === 'local' ? type === 'kaniko' : !['kaniko', 'custom', 'unset'].includes(type)
  const what = `image "${image}" is built by ${type}, which Skaffold's ${builder} builder refuses`
  return wrong ? [{ where, what, fix: 'regctl skaffold-init' }] : []
}

/** What the pod pushes: the image, and layers where they are cached. */
function checkGrants(use: ClusterUse, { image, type, fields }: Artifact, facts: CheckFacts): readonly Problem[] {
  if (type === 'custom') return []
  const { registry, defaultRepo, multiLevel } = facts.naming
  const cache = isRecord(fields.cache) && typeof fields.cache.repo === 'string' ? [fields.cache.repo] : []
  return [pushedName(image, defaultRepo, multiLevel), ...cache].flatMap((name) => {
    const repository = repositoryOf(name, registry)
    if (repository === undefined || facts.grants.some((grant) => allows(grant, use, repository))) return []
    const who = use.serviceAccount === undefined ? use.namespace : `${use.namespace}/${use.serviceAccount}`
    const root = repositoryOf(defaultRepo, registry) ?? repository
    return [
      {
        where: use.where,
        what: `${who} has no grant for ${repository}`,
        fix: `regctl grant ${use.namespace} ${isWithin(repository, root) ? root : repository}`,
      },
    ]
  })
}

const allows = (grant: Grant, { namespace, serviceAccount = 'default' }: ClusterUse, repository: string): boolean =>
  grant.namespace === namespace &&
  !grant.readOnly &&
  !isDeveloper(grant) &&
  (grant.serviceAccount ?? serviceAccount) === serviceAccount &&
  (grant.exact ? grant.repository === repository : isWithin(repository, grant.repository))

const unique = (problems: readonly Problem[]): readonly Problem[] => [
  ...new Map(problems.map((problem) => [`${problem.where} ${problem.what}`, problem])).values(),
]
