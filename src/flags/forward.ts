import { Flags } from '@oclif/core'
import { MODES, type ModeChoice, TRANSPORTS, type TransportChoice } from '../domain/forward/mode.ts'
import { usageError } from '../errors.ts'

/** What stands behind `--`; oclif takes it for arguments of ours. */
function commandOf(argv: readonly string[]): readonly string[] | undefined {
  const at = argv.indexOf('--')
  if (at < 0) return undefined
  if (at === argv.length - 1) throw usageError('NO_COMMAND', 'there is no command behind "--"')
  return argv.slice(at + 1)
}

/** Without what makes it detached, and with the port that was found. */
export function detachedArgv(argv: readonly string[], port: number): readonly string[] {
  const others = argv.filter((arg) => arg !== '--detach' && arg !== '--json')
  return others.some((arg) => /^--port(=|$)/.test(arg)) ? others : [...others, '--port', String(port)]
}

export const forwardFlags = {
  mode: Flags.option({ options: MODES, summary: 'Which way to take.', default: 'auto' as const })(),
  transport: Flags.option({
    options: TRANSPORTS,
    summary: 'What carries a port-forward.',
    default: 'auto' as const,
  })(),
  port: Flags.integer({
    summary: "Port on this machine (the registry's own, 5000).",
    helpValue: 'PORT',
    min: 0,
    max: 65_535,
  }),
  address: Flags.string({
    summary: 'Loopback address to listen on; may be given more than once (127.0.0.1 and ::1).',
    helpValue: 'IP',
    multiple: true,
  }),
  detach: Flags.boolean({ summary: 'Leave it running in the background.', default: false }),
  stop: Flags.boolean({
    summary: 'End what runs in the background: the forward of --port, or every one.',
    default: false,
    exclusive: ['detach', 'status'],
  }),
  status: Flags.boolean({
    summary: 'Show what runs; exits 6 when nothing does, or not well.',
    default: false,
    exclusive: ['detach'],
  }),
}

type Parsed = {
  readonly mode: ModeChoice
  readonly transport: TransportChoice
  readonly namespace: string
  readonly port?: number | undefined
  readonly address?: readonly string[] | undefined
}

/** The flags without those that were not given. */
export function forwardInput({ mode, transport, namespace, port, address }: Parsed) {
  return {
    mode,
    transport,
    namespace,
    ...(port === undefined ? {} : { port }),
    ...(address === undefined ? {} : { addresses: address }),
  }
}

/** The command behind `--`; everything else has to be a flag. */
export function commandBehind(argv: readonly string[], args: readonly unknown[]): readonly string[] | undefined {
  const command = commandOf(argv)
  if (args.length > (command?.length ?? 0))
    throw usageError('UNEXPECTED_ARGUMENT', `"${args[0]}" is no flag; a command stands behind "--"`)
  if (command !== undefined && argv.slice(0, argv.indexOf('--')).includes('--detach'))
    throw usageError('DETACHED_COMMAND', '--detach and a command contradict each other')
  return command
}
