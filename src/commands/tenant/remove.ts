import { Args } from '@oclif/core'
import type { RemoveResult } from '../../app/tenant/remove.ts'
import { RegctlCommand } from '../../command.ts'
import { milliseconds } from '../../domain/duration.ts'
import { namespaceName } from '../../domain/policy/identity.ts'
import { timeoutFlag } from '../../flags/tenant.ts'

export default class TenantRemove extends RegctlCommand {
  static override summary = 'End a tenant, with its shares and the grant that came with it.'
  static override description =
    'Its images stay in the registry, and what was private is for everybody to read again. The namespace itself is not touched.'
  static override examples = ['<%= config.bin %> tenant remove team-a']
  static override args = {
    namespace: Args.string({
      description: 'Namespace of the tenant.',
      required: true,
      parse: async (text) => namespaceName(text),
    }),
  }
  static override flags = { timeout: timeoutFlag }

  async run(): Promise<RemoveResult> {
    const { args, flags } = await this.parse(TenantRemove)
    const timeoutMs = milliseconds(flags.timeout)
    const ports = await this.ports(flags)
    const [{ removeTenant }, { removeText }] = await Promise.all([
      import('../../app/tenant/remove.ts'),
      import('../../ui/tenant-text.ts'),
    ])
    const result = await removeTenant(ports, flags.namespace, args.namespace, timeoutMs)
    this.log(removeText(args.namespace, result))
    return result
  }
}
