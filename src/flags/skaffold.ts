import { Flags } from '@oclif/core'
import type { SkaffoldInput } from '../app/skaffold/init.ts'
import { namespaceName } from '../domain/policy/identity.ts'
import { repositoryName } from '../domain/repository.ts'
import { INIT_IMAGE, KANIKO_IMAGE } from '../domain/skaffold/kaniko.ts'

export const skaffoldFlags = {
  file: Flags.string({
    char: 'f',
    summary: 'File to edit, with the modules it requires (skaffold.yaml).',
    helpValue: 'FILE',
    env: 'SKAFFOLD_FILENAME',
  }),
  config: Flags.string({
    char: 'c',
    summary: "Skaffold's own configuration file (~/.skaffold/config).",
    helpValue: 'FILE',
    env: 'SKAFFOLD_CONFIG',
  }),
  builder: Flags.option({
    summary: 'Where images are built (in-cluster where the file or an earlier run says so, else local).',
    options: ['local', 'in-cluster'] as const,
  })(),
  repository: Flags.string({
    summary: 'Repository that artifacts go below (that of the one grant that fits).',
    helpValue: 'REPO',
    parse: async (text) => repositoryName(text),
  }),
  'build-namespace': Flags.string({
    summary: 'Namespace of builds in the cluster (that of the one grant that fits).',
    helpValue: 'NS',
    parse: async (text) => namespaceName(text),
  }),
  profile: Flags.string({ summary: 'Name of the profile for builds in the cluster.', default: 'regctl' }),
  activate: Flags.boolean({ summary: 'Have the profile in force always, without -p.', allowNo: true }),
  'kaniko-image': Flags.string({
    summary: `Image of Kaniko for artifacts that name none (${KANIKO_IMAGE}).`,
    helpValue: 'IMAGE',
  }),
  'init-image': Flags.string({
    summary: `Image that receives the build context, for artifacts that name none; it needs tar and /tmp (${INIT_IMAGE}).`,
    helpValue: 'IMAGE',
  }),
}

type Parsed = {
  readonly namespace: string
  readonly file?: string | undefined
  readonly config?: string | undefined
  readonly builder?: 'local' | 'in-cluster' | undefined
  readonly repository?: string | undefined
  readonly 'build-namespace'?: string | undefined
  readonly profile: string
  readonly activate?: boolean | undefined
  readonly 'kaniko-image'?: string | undefined
  readonly 'init-image'?: string | undefined
}

export function skaffoldInput(flags: Parsed): SkaffoldInput {
  const given = {
    file: flags.file,
    config: flags.config,
    builder: flags.builder,
    repository: flags.repository,
    buildNamespace: flags['build-namespace'],
    activate: flags.activate,
    kanikoImage: flags['kaniko-image'],
    initImage: flags['init-image'],
  }
  const known = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
  return { registryNamespace: flags.namespace, profile: flags.profile, ...(known as Partial<SkaffoldInput>) }
}

/** What to add where nobody can be asked. */
export const WITHOUT_ASKING = ['add --yes, to write without asking', 'add --print, to have the file on stdout']
