import { Args, Flags } from '@oclif/core'
import type { RevokeResult } from '../app/grant/revoke.ts'
import { RegctlCommand } from '../command.ts'
import { milliseconds } from '../domain/duration.ts'
import { repositoryName } from '../domain/repository.ts'
import { usageError } from '../errors.ts'
import { developerFlag, grantArgs, serviceAccountFlag } from '../flags/grant.ts'

export default class Revoke extends RegctlCommand {
  static override summary = 'Take a grant back.'
  static override description =
    'Returns when the registry refuses. A request that began before may still finish, and an idle connection ends within 10 seconds; --now ends all at once.'
  static override examples = [
    { description: 'Take one grant back.', command: '<%= config.bin %> revoke example-builder example' },
    {
      description: 'Take back all of a namespace, and cut what runs.',
      command: '<%= config.bin %> revoke example-builder --all --now',
    },
  ]
  static override args = {
    namespace: grantArgs.namespace,
    repository: Args.string({
      description: 'Repository of the grant; leave it out with --all.',
      parse: async (text) => repositoryName(text),
    }),
  }
  static override flags = {
    all: Flags.boolean({ summary: 'Every grant of the namespace.', default: false }),
    'service-account': serviceAccountFlag,
    'no-service-account': Flags.boolean({
      summary: 'Only the grant of every service account.',
      default: false,
      exclusive: ['service-account'],
    }),
    developer: developerFlag,
    exact: Flags.boolean({ summary: 'Only a grant with --exact (--no-exact: only one without).', allowNo: true }),
    'read-only': Flags.boolean({
      summary: 'Only a grant with --read-only (--no-read-only: only one without).',
      allowNo: true,
    }),
    now: Flags.boolean({ summary: "Replace the registry's pod, which cuts every running transfer.", default: false }),
    timeout: Flags.string({ summary: 'How long to wait for the proof.', default: '30s', helpValue: 'DURATION' }),
  }

  async run(): Promise<RevokeResult> {
    const { args, flags } = await this.parse(Revoke)
    const { repository } = args
    if (flags.all === (repository !== undefined))
      throw usageError('WHICH_GRANT', 'name a repository, or --all for every grant of the namespace', {
        suggestions: ['regctl grants'],
      })
    const timeoutMs = milliseconds(flags.timeout)
    const ports = await this.ports(flags)
    const { revoke } = await import('../app/grant/revoke.ts')
    const serviceAccount = flags['no-service-account'] ? null : flags['service-account']
    const { developer } = flags
    const result = await revoke(
      ports,
      flags.namespace,
      {
        namespace: args.namespace,
        ...(repository === undefined ? {} : { repository }),
        ...(serviceAccount === undefined ? {} : { serviceAccount }),
        ...(developer === undefined ? {} : { developer }),
        ...(flags.exact === undefined ? {} : { exact: flags.exact }),
        ...(flags['read-only'] === undefined ? {} : { readOnly: flags['read-only'] }),
      },
      { now: flags.now, timeoutMs },
    )
    if (result.revoked.length === 0) this.log('Nothing to revoke.')
    for (const grant of result.revoked)
      this.log(
        `Revoked ${grant.repository} from ${grant.developer ?? `${grant.serviceAccount ?? 'every service account'} of ${grant.namespace}`}.`,
      )
    if (result.revoked.length > 0 && !flags.now)
      this.log('A request that began before may still finish; idle connections end within 10 seconds.')
    return result
  }
}
