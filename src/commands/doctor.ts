import type { Finding } from '../app/inspect/doctor.ts'
import { RegctlCommand } from '../command.ts'

export default class Doctor extends RegctlCommand {
  static override summary = 'Check the cluster and the installation, and say what to do about each finding.'
  static override description = 'Reads only. Exits 6 when there is a problem.'
  static override examples = ['<%= config.bin %> doctor']

  async run(): Promise<{ readonly findings: readonly Finding[] }> {
    const { flags } = await this.parse(Doctor)
    const ports = await this.ports(flags)
    const [{ doctor }, { findingsText }] = await Promise.all([
      import('../app/inspect/doctor.ts'),
      import('../ui/findings-text.ts'),
    ])
    const findings = await doctor(ports, flags.namespace)
    this.log(findingsText(findings))
    if (findings.some(({ level }) => level === 'problem')) process.exitCode = 6
    return { findings }
  }
}
