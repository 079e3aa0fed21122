import { Args, Flags } from '@oclif/core'
import type { ExternalGrantResult } from '../app/external/grant.ts'
import { RegctlCommand } from '../command.ts'
import { milliseconds } from '../domain/duration.ts'
import {
  externalRepositoryArg,
  jwksFlag,
  keysFrom,
  requiredAudienceFlag,
  requiredIssuerFlag,
  subjectArg,
  wantedExternal,
} from '../flags/external.ts'

export default class GrantExternal extends RegctlCommand {
  static override summary = 'Let somebody outside push to a repository, by a token of an issuer such as GitHub Actions.'
  static override description =
    "The token is checked at the registry's proxy, and counts only by a host that regctl expose --tls SECRET opened. Returns when the registry follows; a grant that cannot be proven is taken back."
  static override examples = [
    {
      description: 'The main branch of a GitHub repository may push example and all below it.',
      command:
        '<%= config.bin %> grant-external repo:ORG/REPO:ref:refs/heads/main example --issuer https://token.actions.githubusercontent.com --audience registry.example.org',
    },
    {
      description: 'An issuer that istiod cannot reach; again with other keys where they change.',
      command:
        '<%= config.bin %> grant-external ci example --issuer https://issuer.corp --audience registry --jwks keys.json',
    },
  ]
  static override args = {
    subject: subjectArg,
    repository: Args.string({ ...externalRepositoryArg, required: true }),
  }
  static override flags = {
    issuer: requiredIssuerFlag,
    audience: requiredAudienceFlag,
    jwks: jwksFlag,
    exact: Flags.boolean({ summary: 'The repository alone, nothing below it.', default: false }),
    timeout: Flags.string({ summary: 'How long to wait for the proof.', default: '30s', helpValue: 'DURATION' }),
  }

  async run(): Promise<ExternalGrantResult> {
    const { args, flags } = await this.parse(GrantExternal)
    const timeoutMs = milliseconds(flags.timeout)
    const keys = await keysFrom(await this.files(), flags.jwks)
    const ports = await this.ports(flags)
    const [{ grantExternal }, { externalText }] = await Promise.all([
      import('../app/external/grant.ts'),
      import('../ui/external-text.ts'),
    ])
    const result = await grantExternal(ports, flags.namespace, wantedExternal(args, flags), { keys, timeoutMs })
    for (const warning of result.warnings) ports.report.warn(warning)
    this.log(externalText(result))
    if (result.provenIn === 0) ports.report.warn('no registry pod is ready, so nothing is proven yet: regctl status')
    return result
  }
}
