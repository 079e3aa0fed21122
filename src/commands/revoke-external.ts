import { Args, Flags } from '@oclif/core'
import type { ExternalRevokeResult } from '../app/external/revoke.ts'
import { RegctlCommand } from '../command.ts'
import { milliseconds } from '../domain/duration.ts'
import { usageError } from '../errors.ts'
import { audienceFlag, externalRepositoryArg, issuerFlag, subjectArg } from '../flags/external.ts'

export default class RevokeExternal extends RegctlCommand {
  static override summary = 'Take a grant to somebody outside back.'
  static override description =
    'Returns when the registry refuses, also tokens that are valid still. A request that began before may finish; --now ends all at once.'
  static override examples = [
    {
      description: 'Take one grant back.',
      command: '<%= config.bin %> revoke-external repo:ORG/REPO:ref:refs/heads/main example',
    },
    {
      description: 'Take back all of a subject.',
      command: '<%= config.bin %> revoke-external repo:ORG/REPO:ref:refs/heads/main --all',
    },
  ]
  static override args = {
    subject: subjectArg,
    repository: Args.string({
      ...externalRepositoryArg,
      description: 'Repository of the grant; leave it out with --all.',
    }),
  }
  static override flags = {
    all: Flags.boolean({ summary: 'Every grant of the subject.', default: false }),
    issuer: issuerFlag,
    audience: audienceFlag,
    exact: Flags.boolean({ summary: 'Only a grant with --exact (--no-exact: only one without).', allowNo: true }),
    now: Flags.boolean({ summary: "Replace the registry's pod, which cuts every running transfer.", default: false }),
    timeout: Flags.string({ summary: 'How long to wait for the proof.', default: '30s', helpValue: 'DURATION' }),
  }

  async run(): Promise<ExternalRevokeResult> {
    const { args, flags } = await this.parse(RevokeExternal)
    const { subject, repository } = args
    if (flags.all === (repository !== undefined))
      throw usageError('WHICH_GRANT', 'name a repository, or --all for every grant of the subject', {
        suggestions: ['regctl grants'],
      })
    const timeoutMs = milliseconds(flags.timeout)
    const ports = await this.ports(flags)
    const { revokeExternal } = await import('../app/external/revoke.ts')
    const { issuer, audience, exact, now } = flags
    const selection = {
      subject,
      ...(repository === undefined ? {} : { repository }),
      ...(issuer === undefined ? {} : { issuer }),
      ...(audience === undefined ? {} : { audience }),
      ...(exact === undefined ? {} : { exact }),
    }
    const result = await revokeExternal(ports, flags.namespace, selection, { now, timeoutMs })
    if (result.revoked.length === 0) this.log('Nothing to revoke.')
    for (const grant of result.revoked) this.log(`Revoked ${grant.repository} from ${grant.subject}.`)
    return result
  }
}
