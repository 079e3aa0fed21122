import { Flags } from '@oclif/core'
import type { UnexposeResult } from '../app/expose/unexpose.ts'
import { RegctlCommand } from '../command.ts'
import { milliseconds } from '../domain/duration.ts'
import { hostArg } from '../flags/expose.ts'

export default class Unexpose extends RegctlCommand {
  static override summary = 'Take an exposure back.'
  static override description =
    'Returns when the registry refuses. The last one takes the gateway along; certificates of yours stay, and the namespace with them.'
  static override examples = ['<%= config.bin %> unexpose registry.example.org']
  static override args = { host: hostArg }
  static override flags = {
    timeout: Flags.string({ summary: 'How long to wait.', default: '1m', helpValue: 'DURATION' }),
  }

  async run(): Promise<UnexposeResult> {
    const { args, flags } = await this.parse(Unexpose)
    const timeoutMs = milliseconds(flags.timeout)
    const ports = await this.ports(flags)
    const { unexpose } = await import('../app/expose/unexpose.ts')
    const result = await unexpose(ports, flags.namespace, args.host, { timeoutMs })
    this.log(result.unexposed === null ? `${args.host} is not exposed.` : `${args.host} is no longer exposed.`)
    return result
  }
}
