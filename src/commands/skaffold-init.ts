import { Flags } from '@oclif/core'
import type { CheckResult } from '../app/skaffold/check.ts'
import type { Goal, SkaffoldInput } from '../app/skaffold/init.ts'
import { RegctlCommand } from '../command.ts'
import { skaffoldFlags, skaffoldInput, WITHOUT_ASKING } from '../flags/skaffold.ts'
import type { SkaffoldPorts } from '../ports.ts'

type Result = {
  readonly files: readonly { readonly path: string; readonly changed: boolean }[]
  readonly written: boolean
  readonly goal?: Goal
  readonly remarks: readonly string[]
}

const mode = (summary: string, ...exclusive: string[]) => Flags.boolean({ summary, default: false, exclusive })

export default class SkaffoldInit extends RegctlCommand {
  static override summary =
    'Have Skaffold push to the registry: edit skaffold.yaml and its configuration, or check them.'
  static override description =
    'Adds the least and changes no byte that is there. Builds on this machine work as they are, builds in the cluster with `skaffold run -p regctl`. Shows a diff and asks; without a terminal it wants --yes.'
  static override examples = [
    { description: 'Build on this machine.', command: '<%= config.bin %> skaffold-init' },
    {
      description: 'Build by Kaniko in the granted namespace.',
      command: '<%= config.bin %> skaffold-init --builder in-cluster',
    },
    { description: 'Would Skaffold work here?', command: '<%= config.bin %> skaffold-init --check' },
  ]
  static override flags = {
    ...skaffoldFlags,
    yes: Flags.boolean({ char: 'y', summary: 'Write without asking.', default: false }),
    check: mode('Say what would not work here, and change nothing; exits 6 when something would not.', 'undo', 'print'),
    undo: mode('Take back what skaffold-init added.', 'check', 'print'),
    print: mode('Print the edited file, and change nothing.', 'check', 'undo'),
  }

  async run(): Promise<Result | CheckResult> {
    const { flags } = await this.parse(SkaffoldInit)
    const input = skaffoldInput(flags)
    const ports = await this.skaffoldPorts(flags)
    if (flags.check) return this.#check(ports, input)
    const [{ planInit }, { planUndo }, { carryOut, changesFile }, { changesText }] = await Promise.all([
      import('../app/skaffold/init.ts'),
      import('../app/skaffold/undo.ts'),
      import('../app/skaffold/change.ts'),
      import('../ui/changes-text.ts'),
    ])
    const plan = await (flags.undo ? planUndo(ports, input) : planInit(ports, input))
    for (const remark of plan.remarks) ports.report.warn(remark)
    const { changes, goal, remarks } = plan
    const files = changes.map((change) => ({ path: change.path, changed: changesFile(change) }))
    const result = { files, written: false, ...(goal === undefined ? {} : { goal }), remarks }
    const [main, ...others] = changes
    const diff = changesText(flags.print ? others : changes)
    if (flags.print && !this.jsonEnabled()) process.stdout.write(main?.after ?? '')
    if (flags.print) this.logToStderr(diff)
    else this.log(diff === '' ? `Nothing to ${flags.undo ? 'take back' : 'change'}.` : diff)
    if (flags.print || diff === '') return result
    if (!flags.yes) {
      const { confirm } = await import('../ui/confirm.ts')
      if (!(await confirm('Write this?', this.signal, WITHOUT_ASKING))) return result
    }
    await carryOut(ports.files, changes)
    this.logToStderr(flags.undo ? 'Taken back.' : 'Written. regctl skaffold-init --check says whether it works here.')
    return { ...result, written: true }
  }

  async #check(ports: SkaffoldPorts, input: SkaffoldInput): Promise<CheckResult> {
    const [{ check }, { checkText }] = await Promise.all([
      import('../app/skaffold/check.ts'),
      import('../ui/problems-text.ts'),
    ])
    const result = await check(ports, input, process.env.SKAFFOLD_DEFAULT_REPO)
    for (const remark of result.remarks) ports.report.warn(remark)
    this.log(checkText(result))
    if (result.problems.length > 0) process.exitCode = 6
    return result
  }
}
