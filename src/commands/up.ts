import { Flags } from '@oclif/core'
import type { InstallResult } from '../app/install/install.ts'
import { RegctlCommand } from '../command.ts'
import { milliseconds } from '../domain/duration.ts'
import { describeRef } from '../domain/kube-object.ts'
import { givenSettings, settingFlags } from '../flags/settings.ts'

type Planned = {
  readonly dryRun: true
  readonly changes: readonly { readonly object: string; readonly action: string }[]
  readonly diff: string
  readonly compared: 'server' | 'local'
}

export default class Up extends RegctlCommand {
  static override summary = 'Install or update the registry, its policies and a proxy on every node.'
  static override description =
    'Safe to run again: what it was given is kept, a second run changes nothing, and an interrupted one goes on where it stopped.'
  static override examples = [
    { description: 'Install with the defaults.', command: '<%= config.bin %> up' },
    { description: 'See what would change.', command: '<%= config.bin %> up --size 50Gi --dry-run' },
  ]
  static override flags = {
    ...settingFlags,
    'dry-run': Flags.boolean({ summary: 'Show what would change, and change nothing.', default: false }),
    wait: Flags.boolean({ summary: 'Wait until the registry is ready and proven.', default: true, allowNo: true }),
    timeout: Flags.string({ summary: 'How long to wait.', default: '5m', helpValue: 'DURATION' }),
  }

  async run(): Promise<InstallResult | Planned> {
    const { flags } = await this.parse(Up)
    const timeoutMs = milliseconds(flags.timeout)
    const given = givenSettings(flags)
    const ports = await this.ports(flags)
    const [{ planInstall }, { withRights }, { install }] = await Promise.all([
      import('../app/install/install-plan.ts'),
      import('../app/install/preflight.ts'),
      import('../app/install/install.ts'),
    ])
    const plan = await ports.report.step('Look at the cluster', () =>
      withRights(ports, flags.namespace, () => planInstall(ports, flags.namespace, given)),
    )
    if (flags['dry-run']) {
      const { planText } = await import('../ui/plan-text.ts')
      const diff = planText(plan.changes, plan.surplus)
      const compared = plan.comparedLocally ? 'local' : 'server'
      this.log(diff === '' ? 'Nothing would change.' : diff)
      this.logToStderr(
        `Compared ${compared === 'local' ? 'locally, where a namespace does not exist yet' : 'by the API server'}; nothing was changed.`,
      )
      const changes = plan.changes
        .filter(({ action }) => action !== 'unchanged')
        .map(({ ref, action }) => ({ object: describeRef(ref), action }))
      return { dryRun: true, changes, diff, compared }
    }
    const result = await install(ports, plan, { wait: flags.wait, timeoutMs })
    const { changed, removed, port } = result
    this.log(
      changed.length + removed.length === 0
        ? `Nothing to change: the registry is up on localhost:${port} of every node.`
        : `The registry is ${result.ready ? 'up' : 'on its way'} on localhost:${port} of every node (${changed.length} objects changed, ${removed.length} removed).`,
    )
    this.log(`Next: regctl grant NAMESPACE REPOSITORY`)
    return result
  }
}
