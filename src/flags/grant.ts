import { Args, Flags } from '@oclif/core'
import type { PodLabel } from '../domain/builder.ts'
import { developerName } from '../domain/policy/developer.ts'
import type { Grant } from '../domain/policy/grant.ts'
import { namespaceName, serviceAccountName } from '../domain/policy/identity.ts'
import { repositoryName } from '../domain/repository.ts'
import { usageError } from '../errors.ts'

export const grantArgs = {
  namespace: Args.string({
    description: 'Namespace of the builders.',
    required: true,
    parse: async (text) => namespaceName(text),
  }),
  repository: Args.string({
    description: 'Repository they may push to, such as example: itself and all below it.',
    required: true,
    parse: async (text) => repositoryName(text),
  }),
}

export const serviceAccountFlag = Flags.string({
  summary: 'One service account instead of every one of the namespace.',
  helpValue: 'NAME',
  parse: async (text) => serviceAccountName(text),
})

export const developerFlag = Flags.string({
  summary: 'A person or a group outside the cluster instead of workloads.',
  helpValue: 'user:NAME|group:NAME',
  parse: async (text) => developerName(text),
})

const LABEL_KEY = /^([a-z0-9.-]+\/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$/
const LABEL_VALUE = /^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$/

/** `KEY=VALUE` */
export function podLabel(text: string): PodLabel {
  const at = text.indexOf('=')
  const [key, value] = [text.slice(0, at), text.slice(at + 1)]
  if (at < 1 || !LABEL_KEY.test(key) || !LABEL_VALUE.test(value) || value.length > 63)
    throw usageError('INVALID_LABEL', `"${text}" is not a label such as regctl.dev/builder=true`)
  return { key, value }
}

type Flagged = {
  readonly 'service-account'?: string | undefined
  readonly developer?: string | undefined
  readonly 'allow-gateway-forward': boolean
  readonly exact: boolean
  readonly 'read-only': boolean
  readonly pods?: string | undefined
  readonly inject: boolean
  readonly 'merge-sidecar': boolean
}

/** What a grant's flags say; those for builders and those for developers do not go together. */
export function wantedGrant(args: { readonly namespace: string; readonly repository: string }, flags: Flagged) {
  const { developer, 'service-account': serviceAccount, 'allow-gateway-forward': forward } = flags
  const forBuilders = (['pods', 'inject', 'merge-sidecar'] as const).find((name) => flags[name])
  if (developer !== undefined && forBuilders !== undefined)
    throw usageError('BOTH_FLAGS', `--${forBuilders} is for workloads, and a developer has none`)
  if (developer === undefined && forward)
    throw usageError('BOTH_FLAGS', '--allow-gateway-forward is for a developer, whom --developer names')
  const pods = flags.pods === undefined ? {} : { pods: podLabel(flags.pods) }
  const wanted: Grant = {
    namespace: args.namespace,
    repository: args.repository,
    exact: flags.exact,
    readOnly: flags['read-only'],
    ...(serviceAccount === undefined ? {} : { serviceAccount }),
    ...(developer === undefined ? {} : { developer }),
  }
  return { wanted, forward, builder: { ...pods, inject: flags.inject, mergeSidecar: flags['merge-sidecar'] } }
}
