import { Flags } from '@oclif/core'
import type { UninstallResult } from '../app/install/uninstall.ts'
import { RegctlCommand } from '../command.ts'
import { milliseconds } from '../domain/duration.ts'

export default class Down extends RegctlCommand {
  static override summary = 'Remove the registry, the node proxies and every grant; image data stays.'
  static override description =
    'Objects of others in the namespaces are named and left. A later up finds the data again.'
  static override examples = [
    { description: 'Remove it, keep the images.', command: '<%= config.bin %> down' },
    { description: 'Remove everything.', command: '<%= config.bin %> down --delete-data' },
  ]
  static override flags = {
    'delete-data': Flags.boolean({ summary: 'Delete the image data too.', default: false }),
    timeout: Flags.string({ summary: 'How long to wait for each step.', default: '3m', helpValue: 'DURATION' }),
  }

  async run(): Promise<UninstallResult> {
    const { flags } = await this.parse(Down)
    const timeoutMs = milliseconds(flags.timeout)
    const ports = await this.ports(flags)
    const { uninstall } = await import('../app/install/uninstall.ts')
    const result = await uninstall(ports, flags.namespace, { deleteData: flags['delete-data'], timeoutMs })
    for (const object of result.foreign) ports.report.warn(`left: ${object}, which is not regctl's`)
    this.log(result.removed.length === 0 ? 'Nothing to remove.' : `Removed ${result.removed.length} objects.`)
    if (result.dataKept)
      this.log(
        `The image data stays in namespace ${flags.namespace}; regctl up finds it again, regctl down --delete-data deletes it.`,
      )
    return result
  }
}
