import { DEFAULTS } from '../../domain/settings.ts'
import { builderOf, buildOf, profileNamed } from '../../domain/skaffold/config.ts'
import { editSkaffold } from '../../domain/skaffold/edit.ts'
import { INIT_IMAGE, KANIKO_IMAGE } from '../../domain/skaffold/kaniko.ts'
import { type ClusterBuild, choicesIn } from '../../domain/skaffold/profile.ts'
import { chooseTarget, type Target } from '../../domain/skaffold/target.ts'
import { conflictError, RegctlError } from '../../errors.ts'
import type { SkaffoldPorts } from '../../ports.ts'
import type { Change } from './change.ts'
import { checkPods } from './check-pods.ts'
import { type ClusterFacts, clusterBuild, clusterFacts } from './cluster.ts'
import { type Project, readProject } from './project.ts'
import { readRecord } from './records.ts'
import { earlierRepository, elsewhere, type GlobalFile, globalChange, readGlobal, wantedSettings } from './settings.ts'

export type Builder = 'local' | 'in-cluster'

export type SkaffoldInput = {
  /** Namespace of the registry. */
  readonly registryNamespace: string
  readonly file?: string
  /** Skaffold's global configuration. */
  readonly config?: string
  readonly builder?: Builder
  readonly repository?: string
  readonly buildNamespace?: string
  readonly profile: string
  readonly activate?: boolean
  readonly kanikoImage?: string
  readonly initImage?: string
}

export type Goal = {
  readonly builder: Builder
  readonly registry: string
  readonly repository: string
  readonly buildNamespace: string | null
}

export type InitPlan = {
  readonly goal: Goal
  /** Of skaffold.yaml first, of Skaffold's own configuration last. */
  readonly changes: readonly Change[]
  readonly remarks: readonly string[]
}

/** Looks at the project, at Skaffold's configuration and at the cluster; nothing is written. */
export async function planInit(ports: SkaffoldPorts, given: SkaffoldInput): Promise<InitPlan> {
  const { files, kube } = ports
  const { context } = kube.target
  const project = await readProject(files, given.file)
  const global = await readGlobal(files, given.config)
  const input = withEarlier(given, project, global, context)
  const builder = input.builder ?? builderOfProject(project)
  const remarks = [...project.remarks]
  const facts = await factsOrWhatIsGiven(ports, input, builder, remarks)
  const registry = `localhost:${facts?.at.port ?? DEFAULTS.port}`
  const target = targetOf(facts, input, builder)
  const { repository } = target
  if (facts !== undefined && builder === 'in-cluster' && !target.granted)
    remarks.push(`builds there are refused until: regctl grant ${target.namespace} ${repository}`)
  const cluster = await buildIn(ports, facts, target, remarks)
  const changes: Change[] = []
  let profiled = 0
  const { profile: name, activate = false, kanikoImage = KANIKO_IMAGE, initImage = INIT_IMAGE } = input
  const options = { name, activate, kanikoImage, initImage, registry, repository, cluster }
  for (const file of project.files) {
    const record = await readRecord(files, file.path)
    const edit = editSkaffold(file, record.additions, options)
    remarks.push(...edit.remarks)
    profiled += edit.profiled
    const { additions, text: after } = edit
    changes.push({ name: file.name, path: file.path, before: file.text, after, record: { additions, created: false } })
  }
  if (builder === 'in-cluster' && profiled === 0) throw nothingForCluster(remarks)
  const defaultRepo = `${registry}/${repository}`
  const wanted = wantedSettings(global, context, project, defaultRepo)
  const settings = await globalChange(files, global, context, wanted)
  remarks.push(...settings.remarks, ...elsewhere(project, registry, defaultRepo))
  return {
    goal: { builder, registry, repository, buildNamespace: target.namespace ?? null },
    changes: [...changes, settings.change],
    remarks: [...new Set(remarks)],
  }
}

/** What is not given stays as an earlier run has it, so that the same command without flags changes nothing. */
function withEarlier(given: SkaffoldInput, project: Project, global: GlobalFile, context: string): SkaffoldInput {
  const repository = given.repository ?? earlierRepository(global, context)
  const input = { ...given, ...(repository === undefined ? {} : { repository }) }
  if (given.builder === 'local') return input
  const choices = project.files
    .flatMap(({ configs }) => configs.map((config) => profileNamed(config, given.profile)))
    .map((profile) => (profile === undefined ? undefined : choicesIn(profile)))
    .find((found) => found !== undefined)
  if (choices === undefined) return input
  const { namespace: buildNamespace, ...rest } = choices
  return { builder: 'in-cluster', ...(buildNamespace === undefined ? {} : { buildNamespace }), ...rest, ...input }
}

const builderOfProject = ({ files }: Project): Builder =>
  files.some(({ configs }) => configs.some(({ value }) => builderOf(buildOf(value)) === 'cluster'))
    ? 'in-cluster'
    : 'local'

function targetOf(facts: ClusterFacts | undefined, input: SkaffoldInput, builder: Builder): Target {
  const { repository, buildNamespace: namespace } = input
  return chooseTarget(facts?.grants ?? [], {
    builder,
    ...(repository === undefined ? {} : { repository }),
    ...(namespace === undefined ? {} : { namespace }),
  })
}

/** Without a cluster the flags must say all that is needed. */
async function factsOrWhatIsGiven(
  ports: SkaffoldPorts,
  { registryNamespace, repository, buildNamespace }: SkaffoldInput,
  builder: Builder,
  remarks: string[],
): Promise<ClusterFacts | undefined> {
  const enough = repository !== undefined && (builder === 'local' || buildNamespace !== undefined)
  try {
    return await clusterFacts(ports, registryNamespace)
  } catch (error) {
    if (!enough || !(error instanceof RegctlError)) throw error
    remarks.push(`not compared with the cluster: ${error.message}`)
    return undefined
  }
}

async function buildIn(
  ports: SkaffoldPorts,
  facts: ClusterFacts | undefined,
  { namespace, serviceAccount, granted }: Target,
  remarks: string[],
): Promise<ClusterBuild | undefined> {
  if (namespace === undefined) return undefined
  const identity = { namespace, ...(serviceAccount === undefined ? {} : { serviceAccount }) }
  const plain = { ...identity, labels: {}, annotations: {} }
  if (facts === undefined) return plain
  try {
    const build = await clusterBuild(ports, facts.at, identity)
    if (build.ownBuilder === true) {
      remarks.push(`Skaffold's own Kaniko pods would not work in namespace "${namespace}": regctl build builds there`)
      return build
    }
    // Before there is a grant, the remark about that one says enough.
    const { problems } = granted
      ? await checkPods(ports, facts, { ...build, where: '', kaniko: true })
      : { problems: [] }
    remarks.push(...problems.map(({ what, fix }) => `${what} (${fix})`))
    return build
  } catch (error) {
    if (!(error instanceof RegctlError)) throw error
    remarks.push(`what a build's pod needs in namespace "${namespace}" is not known: ${error.message}`)
    return plain
  }
}

const nothingForCluster = (remarks: readonly string[]): RegctlError =>
  conflictError(
    'NOTHING_FOR_CLUSTER',
    `nothing here can be built in the cluster${remarks.length > 0 ? `: ${remarks.join('; ')}` : ''}`,
    {
      suggestions: ['regctl skaffold-init --builder local'],
    },
  )
