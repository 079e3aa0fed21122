import { resolve } from 'node:path'
import { Flags } from '@oclif/core'
import { milliseconds } from '../domain/duration.ts'
import type { Found } from '../domain/forward/forward-report.ts'
import { MODES, type ModeChoice, TRANSPORTS, type TransportChoice } from '../domain/forward/mode.ts'
import { isPlace } from '../domain/forward/place.ts'
import { namespaceName, serviceAccountName } from '../domain/policy/identity.ts'
import { shellWord } from '../domain/shell-word.ts'
import { usageError } from '../errors.ts'

/** What stands behind `--`; oclif takes it for arguments of ours. */
function commandOf(argv: readonly string[]): readonly string[] | undefined {
  const at = argv.indexOf('--')
  if (at < 0) return undefined
  if (at === argv.length - 1)
    throw usageError('NO_COMMAND', 'there is no command behind "--"', {
      suggestions: ['regctl dev-forward -- COMMAND'],
    })
  return argv.slice(at + 1)
}

/**
 * Without what makes it detached, and with what was found: a process that is started anew after a day must lead to the same
 * place by the same way and as the same person, whatever the current context and the caller's rights are by then. Where the
 * gateway answers and what carries a port-forward is found anew, because these may change.
 */
export function detachedArgv(argv: readonly string[], { port, context, mode, identity }: Found): readonly string[] {
  const found = {
    '--port': String(port),
    '--context': context,
    '--mode': mode,
    ...(identity === undefined ? {} : { '--identity': identity }),
  }
  const isFound = (arg: string | undefined): boolean => arg !== undefined && Object.hasOwn(found, arg)
  const others = argv
    .filter((arg) => arg !== '--detach' && arg !== '--json')
    .filter((arg, index, all) => !isFound(arg.split('=')[0]) && !isFound(all[index - 1]))
    // It runs in another directory.
    .map((arg, index, all) => (all[index - 1] === '--kubeconfig' ? resolve(arg) : arg))
    .map((arg) => arg.replace(/^--kubeconfig=(.+)$/s, (_, file: string) => `--kubeconfig=${resolve(file)}`))
  return [...others, ...Object.entries(found).flat()]
}

export const forwardFlags = {
  mode: Flags.option({ options: MODES, summary: 'Which way to take.', default: 'auto' as const })(),
  transport: Flags.option({
    options: TRANSPORTS,
    summary: 'What carries a port-forward.',
    default: 'auto' as const,
  })(),
  identity: Flags.string({
    summary: 'Service account to be in mesh and proxy mode; found where there is one to find.',
    helpValue: 'NAMESPACE[/ACCOUNT]',
  }),
  gateway: Flags.string({
    summary: "Where the developers' gateway answers; found by itself.",
    helpValue: 'HOST:PORT',
    parse: async (text) => gatewayAddress(text),
  }),
  'proxy-image': Flags.string({
    summary: "Image of proxy mode's container, with an envoy on its PATH (Istio's).",
    helpValue: 'IMAGE',
    parse: async (text) => imageName(text),
  }),
  'certificate-lifetime': Flags.string({
    summary: 'How long a certificate of these modes is good for, 1m to 1h; it is renewed in time.',
    helpValue: 'DURATION',
    default: '1h',
  }),
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
  readonly identity?: string | undefined
  readonly gateway?: string | undefined
  readonly 'certificate-lifetime': string
  readonly 'proxy-image'?: string | undefined
  readonly port?: number | undefined
  readonly address?: readonly string[] | undefined
}

/** The flags without those that were not given. */
export function forwardInput({ mode, transport, namespace, port, address, identity, gateway, ...flags }: Parsed) {
  return {
    mode,
    transport,
    namespace,
    lifetimeSeconds: lifetime(flags['certificate-lifetime']),
    ...(flags['proxy-image'] === undefined ? {} : { proxyImage: flags['proxy-image'] }),
    ...(identity === undefined ? {} : { identity: identityOf(identity) }),
    ...(gateway === undefined ? {} : { gateway }),
    ...(port === undefined ? {} : { port }),
    ...(address === undefined ? {} : { addresses: address }),
  }
}

const HOUR = 3_600

/** In seconds. Nothing but a revoke ends a certificate before. */
function lifetime(text: string): number {
  const seconds = milliseconds(text) / 1_000
  if (seconds >= 60 && seconds <= HOUR) return Math.floor(seconds)
  throw usageError('INVALID_LIFETIME', `a certificate of "${text}" is shorter than a minute or longer than an hour`, {
    suggestions: ['regctl dev-forward --certificate-lifetime 1h'],
  })
}

function identityOf(text: string): { readonly namespace: string; readonly serviceAccount?: string } {
  const slash = text.indexOf('/')
  if (slash < 0) return { namespace: namespaceName(text) }
  return { namespace: namespaceName(text.slice(0, slash)), serviceAccount: serviceAccountName(text.slice(slash + 1)) }
}

function gatewayAddress(text: string): string {
  if (isPlace(text)) return text
  throw usageError('INVALID_ADDRESS', `"${text}" is not HOST:PORT`, { suggestions: ['--gateway 192.0.2.1:15443'] })
}

/** It stands among the engine's own arguments. */
function imageName(text: string): string {
  if (/^[a-z0-9][\w./:@-]*$/i.test(text)) return text
  throw usageError('INVALID_IMAGE', `"${text}" is not the name of an image`, {
    suggestions: ['regctl dev-forward --mode proxy --proxy-image docker.io/istio/proxyv2:VERSION'],
  })
}

const runs = (command: readonly string[]): string => `regctl dev-forward -- ${command.map(shellWord).join(' ')}`

/** The command behind `--`; everything else has to be a flag. */
export function commandBehind(argv: readonly string[], args: readonly unknown[]): readonly string[] | undefined {
  const command = commandOf(argv)
  if (args.length > (command?.length ?? 0))
    throw usageError('UNEXPECTED_ARGUMENT', `"${args[0]}" is no flag; a command stands behind "--"`, {
      suggestions: [runs(args.map(String))],
    })
  if (command !== undefined && argv.slice(0, argv.indexOf('--')).includes('--detach'))
    throw usageError('DETACHED_COMMAND', '--detach and a command contradict each other', {
      suggestions: ['regctl dev-forward --detach', runs(command)],
    })
  return command
}
