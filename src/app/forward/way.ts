import type { ModeChoice, TransportChoice } from '../../domain/forward/mode.ts'
import { RegctlError } from '../../errors.ts'
import type { ForwardPorts, Listener, ListenOptions, Transport, TransportNews } from '../../ports/forward.ts'

export type ForwardInput = {
  readonly namespace: string
  readonly mode: ModeChoice
  readonly transport: TransportChoice
  /** The registry's own where not given. */
  readonly port?: number
  readonly addresses?: readonly string[]
  readonly version: string
  /** Whom to be in mesh mode; what is not given is found. */
  readonly identity?: { readonly namespace: string; readonly serviceAccount?: string }
  /** Where the developers' gateway answers, `HOST:PORT`; found where not given. */
  readonly gateway?: string
  /** Of a developer's certificate. */
  readonly lifetimeSeconds?: number
  /** Of the local proxy; Istio's where not given. */
  readonly proxyImage?: string
  /** Of a detached forward. */
  readonly log?: string
}

/** A mode that was found to work here: what it knows before anything is opened, and how it opens. */
export type Way = {
  readonly mode: Transport['mode']
  /** The registry's port, which is in the names of its images. */
  readonly port: number
  /** `NAMESPACE/SERVICEACCOUNT` whose requests they are, where it matters. */
  readonly identity?: string
  /** Opens the port and what it leads to. */
  serve(options: ServeOptions, tell: (news: TransportNews) => void): Promise<Listener>
}

export type ServeOptions = Omit<ListenOptions, 'connect'>

type Mode = Exclude<ModeChoice, 'auto'>

/** Imported where it is tried: a start waits for no other mode's code. */
const WAYS: Readonly<Record<Mode, (ports: ForwardPorts, input: ForwardInput) => Promise<Way>>> = {
  mesh: async (ports, input) => (await import('./mesh.ts')).meshWay(ports, input),
  'port-forward': async (ports, input) => (await import('./port-forward.ts')).portForwardWay(ports, input),
  proxy: async (ports, input) => (await import('./proxy.ts')).proxyWay(ports, input),
}

/** What a mode lacks that another may not need. */
const LACKING = new Set(['NO_RIGHT', 'NO_DEVELOPER_ACCESS', 'NO_DEVELOPER_INGRESS', 'NO_IDENTITY'])

/** @throws an error that says what is missing, and which mode would work */
export async function chooseWay(ports: ForwardPorts, input: ForwardInput): Promise<Way> {
  const modes = modesOf(input)
  const failures: RegctlError[] = []
  for (const mode of modes) {
    try {
      return await WAYS[mode](ports, input)
    } catch (error) {
      if (!(error instanceof RegctlError) || !LACKING.has(error.code)) throw error
      failures.push(error)
    }
  }
  // Where proxy mode works mesh mode does, and it would want an image pulled to know.
  const others = (['mesh', 'port-forward'] as const).filter((mode) => !modes.includes(mode))
  throw failed(failures, await workingModes(ports, input, others))
}

/** Policies apply to the person in mesh mode, so it comes first; what was given for one mode means that mode. */
function modesOf({ mode, identity, gateway, transport, proxyImage }: ForwardInput): readonly Mode[] {
  if (mode !== 'auto') return [mode]
  if (proxyImage !== undefined) return ['proxy']
  if (identity !== undefined || gateway !== undefined) return ['mesh']
  return transport === 'auto' ? ['mesh', 'port-forward'] : ['port-forward']
}

async function workingModes(
  ports: ForwardPorts,
  input: ForwardInput,
  modes: readonly Mode[],
): Promise<readonly Mode[]> {
  const works = await Promise.all(
    modes.map((mode) =>
      WAYS[mode](ports, input).then(
        () => true,
        () => false,
      ),
    ),
  )
  return modes.filter((_, index) => works[index])
}

function failed(failures: readonly RegctlError[], working: readonly Mode[]): RegctlError {
  const last = failures.at(-1) as RegctlError
  return new RegctlError('precondition', last.code, failures.map(({ message }) => message).join('; '), {
    suggestions: [
      ...working.map((mode) => `regctl dev-forward --mode ${mode}`),
      ...new Set(failures.toReversed().flatMap(({ suggestions }) => suggestions)),
    ],
    ...(last.details === undefined ? {} : { details: last.details }),
    cause: last.cause,
  })
}
