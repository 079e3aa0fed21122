import { Args } from '@oclif/core'
import type { RemoveResult } from '../../app/tenant/remove.ts'
import { RegctlCommand } from '../../command.ts'
import { milliseconds } from '../../domain/duration.ts'
import { namespaceName } from '../../domain/policy/identity.ts'
import { timeoutFlag } from '../../flags/tenant.ts'

export default class TenantRemove extends RegctlCommand {
  static override summary = 'End tenants, with their shares and the grants that came with them.'
  static override description =
    'Their images stay in the registry, and what was private is for everybody to read again. The namespaces themselves are not touched.'
  static override examples = ['<%= config.bin %> tenant remove team-a']
  static override strict = false
  static override args = {
    namespace: Args.string({ description: 'Namespace of the tenant; there may be several.', required: true }),
  }
  static override flags = { timeout: timeoutFlag }

  async run(): Promise<RemoveResult> {
    const { argv, flags } = await this.parse(TenantRemove)
    const namespaces = [...new Set((argv as readonly string[]).map(namespaceName))]
    const timeoutMs = milliseconds(flags.timeout)
    const ports = await this.ports(flags)
    const [{ removeTenants }, { removeText }] = await Promise.all([
      import('../../app/tenant/remove.ts'),
      import('../../ui/tenant-text.ts'),
    ])
    const result = await removeTenants(ports, flags.namespace, namespaces, timeoutMs)
    this.log(removeText(result))
    return result
  }
}
