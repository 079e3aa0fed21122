import { Flags } from '@oclif/core'
import type { ClientEnvironment } from '../app/clients/environment.ts'
import { RegctlCommand } from '../command.ts'
import { repositoryName } from '../domain/repository.ts'

export default class Env extends RegctlCommand {
  static override summary = 'Print what each client needs to push to the registry.'
  static override description =
    'Variables for the shell, and as comments what no variable can say: a file, an annotation, a setting of a build file.'
  static override examples = [
    { description: 'Set them.', command: 'eval "$(<%= config.bin %> env)"' },
    { description: 'In fish.', command: '<%= config.bin %> env --shell fish | source' },
  ]
  static override flags = {
    shell: Flags.option({
      options: ['sh', 'fish', 'powershell'] as const,
      summary: 'Whose syntax; --json is for programs.',
      default: 'sh' as const,
    })(),
    repository: Flags.string({
      summary: 'Repository that images go below (the one that is granted).',
      helpValue: 'REPO',
      parse: async (text) => repositoryName(text),
    }),
  }

  async run(): Promise<ClientEnvironment> {
    const { flags } = await this.parse(Env)
    const { kube } = await this.ports(flags)
    const [{ clientEnvironment }, { environmentText }] = await Promise.all([
      import('../app/clients/environment.ts'),
      import('../ui/environment-text.ts'),
    ])
    const environment = await clientEnvironment(kube, flags.namespace, flags.repository)
    this.log(environmentText(flags.shell, environment.variables, environment.notes))
    return environment
  }
}
