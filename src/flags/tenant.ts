import { Args, Flags } from '@oclif/core'
import { namespaceName } from '../domain/policy/identity.ts'
import { repositoryName } from '../domain/repository.ts'

/** A namespace whose name can be a repository's. */
export const tenantName = (text: string): string => repositoryName(namespaceName(text))

export const sharedArgs = {
  repository: Args.string({
    description: 'Repository of a tenant, such as team-a/base: itself and all below it.',
    required: true,
    parse: async (text) => repositoryName(text),
  }),
}

export const withFlag = Flags.string({
  summary: 'Namespace that uses it.',
  required: true,
  helpValue: 'NAMESPACE',
  parse: async (text) => namespaceName(text),
})

export const timeoutFlag = Flags.string({
  summary: 'How long to wait for the proof.',
  default: '30s',
  helpValue: 'DURATION',
})
