import { Args, Flags } from '@oclif/core'
import type { PodLabel } from '../domain/builder.ts'
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
