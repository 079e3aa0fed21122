import { Args, Flags } from '@oclif/core'
import type { AddResult } from '../../app/tenant/add.ts'
import { RegctlCommand } from '../../command.ts'
import { milliseconds } from '../../domain/duration.ts'
import { podLabel, serviceAccountFlag } from '../../flags/grant.ts'
import { tenantName, timeoutFlag } from '../../flags/tenant.ts'

export default class TenantAdd extends RegctlCommand {
  static override summary = 'Give namespaces the repository of their name, with all below it.'
  static override description =
    'A namespace pushes to its repository, as after a grant. With --private its pods alone may use it, decided when a pod is made, and nobody else reads it. Refuses where others use it already, and names them. Several namespaces are proven at once.'
  static override examples = [
    { description: 'team-a pushes team-a and all below it.', command: '<%= config.bin %> tenant add team-a' },
    {
      description: 'The images of team-a and team-b are their own pods’ alone.',
      command: '<%= config.bin %> tenant add team-a team-b --private',
    },
  ]
  static override strict = false
  static override args = {
    namespace: Args.string({
      description: 'Namespace, and the repository of that name; there may be several.',
      required: true,
    }),
  }
  static override flags = {
    private: Flags.boolean({
      summary: 'For its own pods and identities alone (--no-private: for everybody to read).',
      allowNo: true,
    }),
    'service-account': serviceAccountFlag,
    accept: Flags.boolean({
      summary: 'Leave the grants and pods of others as they are; namespaces with hostNetwork pods become exempt.',
      default: false,
    }),
    pods: Flags.string({ summary: 'Only pods with this label get the listener.', helpValue: 'KEY=VALUE' }),
    inject: Flags.boolean({
      summary: 'Turn injection on although applications there run without a proxy.',
      default: false,
    }),
    'merge-sidecar': Flags.boolean({ summary: "Put the listener into the namespace's own Sidecar.", default: false }),
    timeout: timeoutFlag,
  }

  async run(): Promise<AddResult> {
    const { argv, flags } = await this.parse(TenantAdd)
    const namespaces = [...new Set((argv as readonly string[]).map(tenantName))]
    const timeoutMs = milliseconds(flags.timeout)
    const { private: own, 'service-account': serviceAccount, accept, inject, 'merge-sidecar': mergeSidecar } = flags
    const pods = flags.pods === undefined ? {} : { pods: podLabel(flags.pods) }
    const ports = await this.ports(flags)
    const { addTenants } = await import('../../app/tenant/add.ts')
    const result = await addTenants(
      ports,
      flags.namespace,
      {
        namespaces,
        ...(own === undefined ? {} : { private: own }),
        ...(serviceAccount === undefined ? {} : { serviceAccount }),
      },
      { ...pods, inject, mergeSidecar, accept, timeoutMs },
    )
    const { addText } = await import('../../ui/tenant-text.ts')
    for (const warning of result.warnings) ports.report.warn(warning)
    for (const { object, why } of result.accepted) ports.report.warn(`Accepted: ${object}: ${why}`)
    this.log(addText(result))
    if (result.provenIn === 0) ports.report.warn('no registry pod is ready, so nothing is proven yet: regctl status')
    return result
  }
}
