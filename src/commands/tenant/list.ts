import type { TenantList } from '../../app/tenant/list.ts'
import { RegctlCommand } from '../../command.ts'

export default class TenantListCommand extends RegctlCommand {
  static override summary = 'List the tenants, what they share, and the namespaces nothing is private from.'
  static override examples = ['<%= config.bin %> tenant list']

  async run(): Promise<TenantList> {
    const { flags } = await this.parse(TenantListCommand)
    const ports = await this.ports(flags)
    const [{ listTenants }, { listText }] = await Promise.all([
      import('../../app/tenant/list.ts'),
      import('../../ui/tenant-text.ts'),
    ])
    const list = await listTenants(ports, flags.namespace)
    this.log(listText(list))
    return list
  }
}
