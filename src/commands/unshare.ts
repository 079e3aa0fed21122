import type { ShareResult } from '../app/tenant/share.ts'
import { RegctlCommand } from '../command.ts'
import { milliseconds } from '../domain/duration.ts'
import { sharedArgs, timeoutFlag, withFlag } from '../flags/tenant.ts'

export default class Unshare extends RegctlCommand {
  static override summary = "Take a share of a tenant's repository back."
  static override description = 'Pods that run go on until they are replaced.'
  static override examples = ['<%= config.bin %> unshare team-a/base --with team-b']
  static override args = sharedArgs
  static override flags = { with: withFlag, timeout: timeoutFlag }

  async run(): Promise<ShareResult> {
    const { args, flags } = await this.parse(Unshare)
    const timeoutMs = milliseconds(flags.timeout)
    const ports = await this.ports(flags)
    const { unshare } = await import('../app/tenant/share.ts')
    const result = await unshare(ports, flags.namespace, args.repository, flags.with, timeoutMs)
    for (const warning of result.warnings) ports.report.warn(warning)
    const { shareText } = await import('../ui/tenant-text.ts')
    this.log(shareText(result, 'is no longer shared with'))
    return result
  }
}
