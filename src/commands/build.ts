import type { BuildResult } from '../app/build/build.ts'
import { RegctlCommand } from '../command.ts'
import { buildArgs, buildFlags, buildInput } from '../flags/build.ts'

export default class Build extends RegctlCommand {
  static override summary = 'Build an image in the cluster and push it, with the identity that is granted.'
  static override description =
    'Sends the context to a pod of its own in the granted namespace, without what .dockerignore names, shows its log on stderr and prints the digest on stdout. Nothing of the build is left, however it ends. As a builder of Skaffold (build.artifacts[].custom.buildCommand) it needs no flag.'
  static override examples = [
    { description: 'Build this directory.', command: '<%= config.bin %> build -t example/app:1' },
    {
      description: 'Another Dockerfile, with a build argument, in one of several namespaces.',
      command:
        '<%= config.bin %> build ./web -t example/web:1 -f web.Dockerfile --build-arg VERSION=1 --build-namespace ci',
    },
  ]
  static override args = buildArgs
  static override flags = buildFlags

  async run(): Promise<BuildResult> {
    const { args, flags } = await this.parse(Build)
    const input = buildInput(flags, args.context, process.env)
    // Skaffold's builders in the cluster name the context Skaffold itself works on.
    const context = flags.context ?? process.env.KUBECONTEXT
    const ports = await this.buildPorts({ ...flags, ...(context === undefined ? {} : { context }) })
    const { build } = await import('../app/build/build.ts')
    const result = await build(ports, input)
    ports.report.info(`Pushed ${result.image} as ${result.serviceAccount} of ${result.namespace}`)
    this.log(result.digest)
    return result
  }
}
