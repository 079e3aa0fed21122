import { Args, Flags } from '@oclif/core'
import { BUILDERS, type Builder } from '../domain/build/builders.ts'
import { milliseconds } from '../domain/duration.ts'
import { namespaceName, serviceAccountName } from '../domain/policy/identity.ts'
import { preconditionError, usageError } from '../errors.ts'

export const buildArgs = {
  context: Args.string({ description: 'Directory to build from; $BUILD_CONTEXT, or the current one.' }),
}

export const buildFlags = {
  tag: Flags.string({
    char: 't',
    summary: 'Repository and tag to push, such as example/app:1 ($IMAGE).',
    helpValue: 'REPO:TAG',
  }),
  'build-namespace': Flags.string({
    summary: 'Namespace to build in; needed where several may push the repository.',
    helpValue: 'NAME',
    parse: async (text) => namespaceName(text),
  }),
  'service-account': Flags.string({
    summary: 'Service account to build as (the one that is granted).',
    helpValue: 'NAME',
    parse: async (text) => serviceAccountName(text),
  }),
  builder: Flags.option({ options: BUILDERS, summary: 'What builds.', default: 'kaniko' as const })(),
  'builder-image': Flags.string({ summary: "The builder's image.", helpValue: 'IMAGE' }),
  platform: Flags.string({
    summary: "Platform to build for (the node's; $PLATFORMS). BuildKit takes several, with commas.",
    helpValue: 'OS/ARCH',
  }),
  privileged: Flags.boolean({
    summary:
      'Run BuildKit as root with all rights on its node (rootless); needs an image such as moby/buildkit:v0.34.2.',
    default: false,
  }),
  file: Flags.string({ char: 'f', summary: 'The Dockerfile (Dockerfile of the context).', helpValue: 'FILE' }),
  target: Flags.string({ summary: 'Stage of the Dockerfile to build (the last).', helpValue: 'STAGE' }),
  'build-arg': Flags.string({
    summary: 'Value of an ARG of the Dockerfile; may be given more than once. Whoever may read pods sees it.',
    helpValue: 'NAME=VALUE',
    multiple: true,
  }),
  timeout: Flags.string({ summary: 'How long a build may take.', default: '20m', helpValue: 'DURATION' }),
}

type Parsed = {
  readonly namespace: string
  readonly tag?: string | undefined
  readonly 'build-namespace'?: string | undefined
  readonly 'service-account'?: string | undefined
  readonly builder: Builder
  readonly 'builder-image'?: string | undefined
  readonly platform?: string | undefined
  readonly privileged: boolean
  readonly file?: string | undefined
  readonly target?: string | undefined
  readonly 'build-arg'?: readonly string[] | undefined
  readonly timeout: string
}

type Environment = Readonly<Record<string, string | undefined>>

/** Skaffold tells a custom builder all it has to know by the environment. */
export function buildInput(flags: Parsed, context: string | undefined, environment: Environment) {
  const { IMAGE, BUILD_CONTEXT, PUSH_IMAGE, PLATFORMS } = environment
  const image = flags.tag ?? IMAGE
  if (image === undefined || image === '')
    throw usageError('NO_IMAGE', 'no image is named', { suggestions: ['add --tag REPOSITORY:TAG'] })
  if (flags.tag === undefined && PUSH_IMAGE === 'false')
    throw preconditionError(
      'NOT_PUSHED',
      'PUSH_IMAGE is "false", and what is built in the cluster can only be pushed',
      {
        suggestions: ['skaffold run --push', 'set build.local.push: true in skaffold.yaml'],
      },
    )
  if (flags.privileged && flags.builder !== 'buildkit')
    throw usageError('NO_PRIVILEGES', '--privileged is for --builder buildkit; Kaniko needs none')
  if (flags.privileged && flags['builder-image'] === undefined)
    throw usageError('NO_BUILDER_IMAGE', "--privileged needs --builder-image: BuildKit's usual image is rootless", {
      suggestions: ['add --builder-image docker.io/moby/buildkit:v0.34.2'],
    })
  return {
    registryNamespace: flags.namespace,
    context: context ?? (BUILD_CONTEXT || '.'),
    image,
    buildArgs: (flags['build-arg'] ?? []).map((text) => buildArg(text, environment)),
    builder: flags.builder,
    privileged: flags.privileged,
    timeoutMs: milliseconds(flags.timeout),
    ...given({
      dockerfile: flags.file,
      target: flags.target,
      platform: platformOf(flags, flags.tag === undefined ? PLATFORMS : undefined),
      builderImage: flags['builder-image'],
      namespace: flags['build-namespace'],
      serviceAccount: flags['service-account'],
    }),
  }
}

function platformOf({ platform, builder }: Parsed, environment: string | undefined): string | undefined {
  const wanted = platform ?? environment
  if (wanted === undefined || wanted === '') return undefined
  if (!/^[a-z0-9]+(\/[a-z0-9.]+){1,2}(,[a-z0-9]+(\/[a-z0-9.]+){1,2})*$/.test(wanted))
    throw usageError('INVALID_PLATFORM', `platform "${wanted}" is not one such as linux/arm64`)
  if (builder === 'kaniko' && wanted.includes(','))
    throw usageError('ONE_PLATFORM', `Kaniko builds for one platform, not for ${wanted}`, {
      suggestions: ['add --builder buildkit'],
    })
  return wanted
}

/** As docker has it: without a value it is that of the environment. */
function buildArg(text: string, environment: Environment): string {
  const name = text.split('=')[0] ?? ''
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name))
    throw usageError('INVALID_BUILD_ARG', `build argument "${text}" is not one such as VERSION=1`)
  return text.includes('=') ? text : `${name}=${environment[name] ?? ''}`
}

function given<T extends Readonly<Record<string, string | undefined>>>(values: T) {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as {
    readonly [K in keyof T]?: string
  }
}
