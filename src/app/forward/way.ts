import type { ModeChoice, TransportChoice } from '../../domain/forward/mode.ts'
import type { ForwardPorts, Transport, TransportNews } from '../../ports.ts'
import { portForwardWay } from './port-forward.ts'

export type ForwardInput = {
  readonly namespace: string
  readonly mode: ModeChoice
  readonly transport: TransportChoice
  /** The registry's own where not given. */
  readonly port?: number
  readonly addresses?: readonly string[]
  readonly version: string
  /** Of a detached forward. */
  readonly log?: string
}

/** A mode that was found to work here: what it knows before anything is opened, and how it opens. */
export type Way = {
  readonly mode: Transport['mode']
  /** The registry's port, which is in the names of its images. */
  readonly port: number
  open(tell: (news: TransportNews) => void): Promise<Transport>
}

/** @throws an error that says what is missing, and which mode would work */
export async function chooseWay(ports: ForwardPorts, input: ForwardInput): Promise<Way> {
  return portForwardWay(ports, input)
}
