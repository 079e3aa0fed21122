import { Flags } from '@oclif/core'
import type { GrantResult } from '../app/grant/grant.ts'
import { RegctlCommand } from '../command.ts'
import { milliseconds } from '../domain/duration.ts'
import { developerFlag, grantArgs, serviceAccountFlag, wantedGrant } from '../flags/grant.ts'

export default class Grant extends RegctlCommand {
  static override summary = "Let a namespace's workloads, or a developer, push to a repository, by their identity."
  static override description =
    'Also gives the namespace what its pods need to have localhost:5000: Istio injection and a listener. Returns when the registry follows; a grant that cannot be proven is taken back.'
  static override examples = [
    {
      description: 'example-builder may push example and all below it.',
      command: '<%= config.bin %> grant example-builder example',
    },
    {
      description: 'A developer may push team-a from a workstation.',
      command: '<%= config.bin %> grant team-a team-a --developer user:ada@example.org',
    },
    {
      description: 'One service account, one repository.',
      command: '<%= config.bin %> grant ci team/app --service-account pusher --exact',
    },
  ]
  static override args = grantArgs
  static override flags = {
    'service-account': serviceAccountFlag,
    developer: developerFlag,
    'allow-gateway-forward': Flags.boolean({
      summary: "Let the developer forward ports to the developers' gateway too, where it has no address to reach.",
      default: false,
    }),
    exact: Flags.boolean({ summary: 'The repository alone, nothing below it.', default: false }),
    'read-only': Flags.boolean({ summary: 'Pull the repository and list its tags, nothing else.', default: false }),
    pods: Flags.string({ summary: 'Only pods with this label get the listener.', helpValue: 'KEY=VALUE' }),
    inject: Flags.boolean({
      summary: 'Turn injection on although applications there run without a proxy.',
      default: false,
    }),
    'merge-sidecar': Flags.boolean({ summary: "Put the listener into the namespace's own Sidecar.", default: false }),
    timeout: Flags.string({ summary: 'How long to wait for the proof.', default: '30s', helpValue: 'DURATION' }),
  }

  async run(): Promise<GrantResult> {
    const { args, flags } = await this.parse(Grant)
    const timeoutMs = milliseconds(flags.timeout)
    const { wanted, forward, builder } = wantedGrant(args, flags)
    const ports = await this.ports(flags)
    const { developer } = wanted
    const result =
      developer === undefined
        ? await (await import('../app/grant/grant.ts')).grant(ports, flags.namespace, wanted, { ...builder, timeoutMs })
        : await (await import('../app/grant/developer.ts')).grantDeveloper(
            ports,
            flags.namespace,
            { ...wanted, developer },
            { forward, timeoutMs },
          )
    for (const warning of result.warnings) ports.report.warn(warning)
    const { grantText } = await import('../ui/grant-text.ts')
    this.log(grantText(result))
    if (result.provenIn === 0) ports.report.warn('no registry pod is ready, so nothing is proven yet: regctl status')
    return result
  }
}
