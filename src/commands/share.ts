import type { ShareResult } from '../app/tenant/share.ts'
import { RegctlCommand } from '../command.ts'
import { milliseconds } from '../domain/duration.ts'
import { sharedArgs, timeoutFlag, withFlag } from '../flags/tenant.ts'

export default class Share extends RegctlCommand {
  static override summary = "Let a namespace use a tenant's repository, with all below it, as if it were public."
  static override description =
    "Its pods may run the images, and its builders may read them. Nothing else of the tenant's opens."
  static override examples = ['<%= config.bin %> share team-a/base --with team-b']
  static override args = sharedArgs
  static override flags = { with: withFlag, timeout: timeoutFlag }

  async run(): Promise<ShareResult> {
    const { args, flags } = await this.parse(Share)
    const timeoutMs = milliseconds(flags.timeout)
    const ports = await this.ports(flags)
    const { share } = await import('../app/tenant/share.ts')
    const result = await share(ports, flags.namespace, args.repository, flags.with, timeoutMs)
    for (const warning of result.warnings) ports.report.warn(warning)
    const { shareText } = await import('../ui/tenant-text.ts')
    this.log(shareText(result, 'is shared with'))
    return result
  }
}
