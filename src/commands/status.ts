import { Flags } from '@oclif/core'
import type { Status } from '../app/inspect/status.ts'
import { RegctlCommand } from '../command.ts'

export default class StatusCommand extends RegctlCommand {
  static override summary = 'Show the registry, the proxy of every node, storage and whether the policies are in force.'
  static override description = 'Exits 6 when something is wrong.'
  static override examples = ['<%= config.bin %> status', '<%= config.bin %> status --json']
  static override flags = {
    watch: Flags.boolean({ char: 'w', summary: 'Show it anew every two seconds, until Ctrl-C.', default: false }),
  }

  async run(): Promise<Status> {
    const { flags } = await this.parse(StatusCommand)
    const ports = await this.ports(flags)
    const [{ status }, { statusText }] = await Promise.all([
      import('../app/inspect/status.ts'),
      import('../ui/status-text.ts'),
    ])
    for (;;) {
      const result = await status(ports, flags.namespace)
      if (flags.watch && process.stdout.isTTY) process.stdout.write('\u001B[2J\u001B[H')
      this.log(statusText(result))
      if (!flags.watch) {
        if (result.problems.length > 0) process.exitCode = 6
        return result
      }
      // With --json too, one document after the other, as jq reads them.
      if (this.jsonEnabled()) this.logJson(result)
      await ports.clock.sleep(2000, this.signal)
    }
  }
}
