import { Flags } from '@oclif/core'
import { RegctlCommand } from '../command.ts'

export default class Probe extends RegctlCommand {
  static override summary = 'Probe.'
  static override flags = { fail: Flags.string() }

  async run(): Promise<{ ok: boolean }> {
    const { flags } = await this.parse(Probe)
    const ports = await this.ports(flags)
    if (flags.fail === 'bug') throw new Error('boom')
    await ports.report.step('Do a thing', async (note) => {
      note('half way')
      await ports.clock.sleep(flags.fail === 'sleep' ? 20000 : 10, this.signal)
    })
    this.log(JSON.stringify(await ports.kube.version()))
    return { ok: true }
  }
}
