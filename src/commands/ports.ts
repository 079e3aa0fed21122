import { Flags } from '@oclif/core'
import type { OpenPorts } from '../app/open-ports/list.ts'
import { RegctlCommand } from '../command.ts'

export default class Ports extends RegctlCommand {
  static override summary =
    'List the open ports of the nodes, the addresses DNS must hold, and the Gateways that use them.'
  static override examples = ['<%= config.bin %> ports', '<%= config.bin %> ports --watch']
  static override flags = {
    watch: Flags.boolean({ char: 'w', summary: 'Show it anew every two seconds, until Ctrl-C.', default: false }),
  }

  async run(): Promise<OpenPorts> {
    const { flags } = await this.parse(Ports)
    const ports = await this.ports(flags)
    const [{ openPorts }, { requireInstalled }, { portsText }] = await Promise.all([
      import('../app/open-ports/list.ts'),
      import('../app/cluster/installed.ts'),
      import('../ui/ports-text.ts'),
    ])
    for (;;) {
      const { at } = await requireInstalled(ports.kube, flags.namespace)
      const result = await openPorts(ports, at)
      if (flags.watch && process.stdout.isTTY) process.stdout.write('\u001B[2J\u001B[H')
      this.log(portsText(result))
      if (!flags.watch) return result
      // With --json too, one document after the other, as jq reads them.
      if (this.jsonEnabled()) this.logJson(result)
      await ports.clock.sleep(2000, this.signal)
    }
  }
}
