import { Flags } from '@oclif/core'
import type { ClosePortResult } from '../app/open-ports/close.ts'
import { RegctlCommand } from '../command.ts'
import { milliseconds } from '../domain/duration.ts'
import { portArg } from '../flags/open-port.ts'

export default class ClosePort extends RegctlCommand {
  static override summary = 'Close a port of the nodes; its gateway goes with its last one.'
  static override description =
    "Objects of others in the gateway's namespace are named and left, and the namespace with them."
  static override examples = ['<%= config.bin %> close-port 443']
  static override args = { port: portArg({ description: 'Port of the nodes.', required: true }) }
  static override flags = {
    timeout: Flags.string({ summary: 'How long to wait for each step.', default: '2m', helpValue: 'DURATION' }),
  }

  async run(): Promise<ClosePortResult> {
    const { args, flags } = await this.parse(ClosePort)
    const timeoutMs = milliseconds(flags.timeout)
    const ports = await this.ports(flags)
    const { closePort } = await import('../app/open-ports/close.ts')
    const result = await closePort(ports, flags.namespace, args.port, timeoutMs)
    for (const object of result.foreign) ports.report.warn(`left: ${object}, which is not regctl's`)
    this.log(result.changed ? `Port ${args.port} is closed.` : `Port ${args.port} is not open (nothing to change).`)
    return result
  }
}
