import type { Served } from '../app/forward/serve.ts'
import { RegctlCommand } from '../command.ts'
import type { ForwardReport } from '../domain/forward/forward-report.ts'
import { commandBehind, detachedArgv, forwardFlags, forwardInput } from '../flags/forward.ts'

type Result =
  | (ForwardReport & { readonly reused: boolean; readonly exitCode?: number })
  | { readonly forwards: readonly ForwardReport[] }
  | { readonly stopped: readonly { readonly port: number; readonly pid: number }[] }

export default class DevForward extends RegctlCommand {
  static override summary = 'Give this machine a localhost:5000 that is the registry.'
  static override description =
    'Serves until Ctrl-C, through restarts of the registry and of the API server. With a command behind "--" it runs that, with REGCTL_REGISTRY=localhost:PORT in its environment, and ends with its exit code.'
  static override usage = 'dev-forward [FLAGS] [-- COMMAND...]'
  static override strict = false
  static override examples = [
    { description: 'Serve until Ctrl-C.', command: '<%= config.bin %> dev-forward' },
    {
      description: 'Push with the forward up.',
      command: '<%= config.bin %> dev-forward -- docker push localhost:5000/example/app',
    },
    { description: 'Leave it in the background.', command: '<%= config.bin %> dev-forward --detach' },
  ]
  static override flags = forwardFlags

  async run(): Promise<Result> {
    const { flags, argv } = await this.parse(DevForward)
    const command = commandBehind(this.argv, argv)
    if (flags.stop || flags.status) return this.#background(flags)
    const ports = await this.forwardPorts(flags)
    const { log } = ports
    const input = { ...forwardInput(flags), version: this.config.version, ...(log === undefined ? {} : { log }) }
    if (flags.detach) {
      const { detach } = await import('../app/forward/background.ts')
      return this.#told(await detach(ports, input, (found) => this.again(detachedArgv(this.argv, found))))
    }
    const [{ serve, serveCommand }, { forwardView }] = await Promise.all([
      import('../app/forward/serve.ts'),
      import('../ui/forward-view.ts'),
    ])
    const quiet = this.jsonEnabled()
    if (command === undefined) {
      const served = await serve(ports, input, forwardView({ quiet, stamped: log !== undefined }))
      process.exitCode = this.stoppedCode ?? 0
      return this.#told(served)
    }
    const { report, reused, exitCode = 0 } = await serveCommand(ports, input, command, quiet)
    process.exitCode = exitCode
    return { ...report, reused, exitCode }
  }

  async #background(flags: { readonly stop: boolean; readonly port?: number | undefined }): Promise<Result> {
    const [ports, { listForwards, stopForwards }, { forwardsText, stoppedText }] = await Promise.all([
      this.backgroundPorts(),
      import('../app/forward/background.ts'),
      import('../ui/forward-text.ts'),
    ])
    if (flags.stop) {
      const stopped = await stopForwards(ports, flags.port)
      this.log(stoppedText(stopped))
      return { stopped }
    }
    const { forwards, silent } = await listForwards(ports, flags.port)
    this.log(forwardsText(forwards, silent))
    const well = forwards.length > 0 && silent.length === 0 && forwards.every(({ state }) => state === 'ready')
    if (!well) process.exitCode = 6
    return { forwards }
  }

  async #told({ report, reused }: Served): Promise<Result> {
    const { servedText } = await import('../ui/forward-text.ts')
    this.log(servedText(report, reused))
    return { ...report, reused }
  }
}
