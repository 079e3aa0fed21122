import { Command, Flags } from '@oclif/core'
import type { BackgroundPorts, ConnectOptions, LocalPorts } from './context.ts'
import { registryNamespace } from './domain/installation.ts'
import { RegctlError } from './errors.ts'
import type { BuildPorts, ExposePorts, Files, OpenPortPorts, Ports, SkaffoldPorts } from './ports.ts'

const SIGNALS = { SIGINT: 130, SIGTERM: 143 } as const

export type ConnectionFlags = { readonly context?: string | undefined; readonly kubeconfig?: string | undefined }

/** Shared flags, the signal that ends a command, and errors as text and exit code. Data goes to stdout, all else to stderr. */
export abstract class RegctlCommand extends Command {
  static override enableJsonFlag = true
  static override baseFlags = {
    context: Flags.string({ summary: 'Context of the kubeconfig to use.', helpGroup: 'GLOBAL', helpValue: 'NAME' }),
    kubeconfig: Flags.string({ summary: 'Kubeconfig file to use.', helpGroup: 'GLOBAL', helpValue: 'FILE' }),
    namespace: Flags.string({
      char: 'n',
      summary: 'Namespace of the registry.',
      default: 'kube-registry',
      helpGroup: 'GLOBAL',
      helpValue: 'NAME',
      parse: async (text) => registryNamespace(text),
    }),
  }

  readonly #abort = new AbortController()
  readonly #listeners = new Map<NodeJS.Signals, () => void>()
  #stoppedBy: keyof typeof SIGNALS | undefined

  /** Aborted by SIGINT and SIGTERM. */
  protected get signal(): AbortSignal {
    return this.#abort.signal
  }

  /** The exit code that tells by which signal the command was ended. */
  protected get stoppedCode(): number | undefined {
    return this.#stoppedBy === undefined ? undefined : SIGNALS[this.#stoppedBy]
  }

  /** Everything a use case may touch. Reads the kubeconfig; the API server is first asked when a port is used. */
  protected async ports(flags: ConnectionFlags): Promise<Ports> {
    const { connect } = await import('./context.ts')
    return connect(this.#connection(flags))
  }

  /** What editing and checking a Skaffold project takes. */
  protected async skaffoldPorts(flags: ConnectionFlags): Promise<SkaffoldPorts> {
    const { connectSkaffold } = await import('./context.ts')
    return connectSkaffold(this.#connection(flags))
  }

  /** The user's own files; no cluster is asked. */
  protected async files(): Promise<Files> {
    const { connectFiles } = await import('./context.ts')
    return connectFiles()
  }

  /** What a build in the cluster takes. */
  protected async buildPorts(flags: ConnectionFlags): Promise<BuildPorts> {
    const { connectBuild } = await import('./context.ts')
    return connectBuild(this.#connection(flags))
  }

  /** What exposing takes. */
  protected async exposePorts(flags: ConnectionFlags): Promise<ExposePorts> {
    const { connectExpose } = await import('./context.ts')
    return connectExpose(this.#connection(flags))
  }

  /** What opening a port of the nodes takes. */
  protected async openPortPorts(flags: ConnectionFlags): Promise<OpenPortPorts> {
    const { connectOpenPort } = await import('./context.ts')
    return connectOpenPort(this.#connection(flags))
  }

  /** The same, and what a forward on this machine needs. */
  protected async forwardPorts(flags: ConnectionFlags) {
    const { connectForward } = await import('./context.ts')
    return connectForward(this.#connection(flags))
  }

  protected async backgroundPorts(): Promise<BackgroundPorts> {
    const { backgroundPorts } = await import('./context.ts')
    return backgroundPorts()
  }

  /** The command line that runs this command with other arguments. */
  protected again(argv: readonly string[]): readonly string[] {
    return [process.execPath, ...process.execArgv, process.argv[1] ?? '', this.id ?? '', ...argv]
  }

  #connection({ context, kubeconfig }: ConnectionFlags): ConnectOptions {
    return {
      ...this.#local(),
      ...(context === undefined ? {} : { context }),
      ...(kubeconfig === undefined ? {} : { kubeconfig }),
    }
  }

  /** The ports that need no cluster and no kubeconfig. */
  protected async localPorts(): Promise<LocalPorts> {
    const { localPorts } = await import('./context.ts')
    return localPorts(this.#local())
  }

  #local() {
    return { root: this.config.root, quiet: this.jsonEnabled(), signal: this.signal }
  }

  protected override async init(): Promise<void> {
    await super.init()
    for (const name of ['SIGINT', 'SIGTERM'] as const) {
      const stop = (): void => {
        // Asked twice: whatever cleaning up was under way takes too long for the user.
        if (this.#stoppedBy !== undefined) process.exit(SIGNALS[name])
        this.#stoppedBy = name
        this.#abort.abort(new DOMException(`stopped by ${name}`, 'AbortError'))
      }
      this.#listeners.set(name, stop)
      process.on(name, stop)
    }
  }

  protected override async finally(error: Error | undefined): Promise<void> {
    for (const [name, stop] of this.#listeners) process.off(name, stop)
    await super.finally(error)
  }

  /** An error of oclif carries its whole parser along, which is nobody's business. */
  protected override toErrorJson(error: Error): { readonly error: object } {
    if (error instanceof RegctlError || !('oclif' in error)) return super.toErrorJson(error)
    const { message, name, oclif } = error
    return { error: { code: 'USAGE', oclif, suggestions: [], name, message } }
  }

  protected override async catch(error: Error): Promise<void> {
    if (this.#stoppedBy !== undefined) {
      process.stderr.write(`stopped by ${this.#stoppedBy}\n`)
      this.exit(SIGNALS[this.#stoppedBy])
    }
    // Errors of oclif (a wrong flag and the like) know how to print themselves, with the help.
    const own = error instanceof RegctlError
    if (!own && 'oclif' in error) return super.catch(error as Parameters<Command['catch']>[0])
    // oclif puts words around what a flag's own check says.
    if (own) error.message = error.message.replace(/^Parsing --\S+ \n\t(.*)\nSee more help with --help$/s, '$1')
    if (this.jsonEnabled()) this.logJson(this.toErrorJson(error))
    if (!own || !this.jsonEnabled()) {
      const { bugText, errorText } = await import('./ui/error-text.ts')
      const about = { version: this.config.version, argv: [this.id ?? '', ...this.argv] }
      process.stderr.write(`${own ? errorText(error) : bugText(error, about)}\n`)
    }
    this.exit(own ? error.oclif.exit : 1)
  }
}
