import { conflictError, usageError } from '../../errors.ts'
import type { Installation } from '../installation.ts'
import { portNamespace } from './place.ts'
import { checkPort, checkTargetPort, defaultTarget, setName } from './port-number.ts'

export const ADDRESSES = ['all', 'loopback'] as const
/** Every address of the node, or its 127.0.0.1 alone. */
export type PortAddress = (typeof ADDRESSES)[number]

export type OpenPort = {
  readonly port: number
  /** Where the gateway's pod listens. */
  readonly targetPort: number
  readonly address: PortAddress
}

/** The ports of one gateway: a DaemonSet of its own, so that no other set's pods are touched when one changes. */
export type PortSet = {
  readonly name: string
  readonly ports: readonly OpenPort[]
  /** Label selector of the nodes; empty for all. */
  readonly nodes: string
  /** Namespaces whose Gateways may attach, besides the set's own. */
  readonly gatewaysFrom: readonly string[]
}

/** What `open-port` is given. What is absent stays as it is. */
export type PortRequest = {
  readonly port: number
  readonly name?: string
  readonly targetPort?: number
  readonly address?: PortAddress
  readonly nodes?: string
  readonly gatewaysFrom?: readonly string[]
}

export const setWith = (sets: readonly PortSet[], port: number): PortSet | undefined =>
  sets.find(({ ports }) => ports.some((one) => one.port === port))

/**
 * The sets with the port open as asked, and which of them it is in.
 * @throws usage errors, and conflict errors PORT_OPEN and TARGET_TAKEN
 */
export function withPort(
  at: Pick<Installation, 'namespace' | 'port'>,
  sets: readonly PortSet[],
  request: PortRequest,
): { readonly sets: readonly PortSet[]; readonly set: PortSet } {
  checkPort(at, request.port)
  const holder = setWith(sets, request.port)
  const name = setName(request.name ?? holder?.name ?? String(request.port))
  if (holder !== undefined && holder.name !== name)
    throw conflictError('PORT_OPEN', `port ${request.port} is open already, in the set "${holder.name}"`, {
      suggestions: [`regctl open-port ${request.port} --name ${holder.name}`, `regctl close-port ${request.port}`],
    })
  // A name that is too long is told now, not by the API server.
  portNamespace(at, name)
  const before = sets.find((set) => set.name === name) ?? { name, ports: [], nodes: '', gatewaysFrom: [] }
  const others = before.ports.filter(({ port }) => port !== request.port)
  const set: PortSet = {
    name,
    ports: [...others, portOf(before, request)].sort((one, other) => one.port - other.port),
    nodes: request.nodes ?? before.nodes,
    gatewaysFrom: [...new Set(request.gatewaysFrom ?? before.gatewaysFrom)].sort(),
  }
  const rest = sets.filter((one) => one.name !== name)
  return { set, sets: [...rest, set].sort((one, other) => (one.name < other.name ? -1 : 1)) }
}

function portOf({ name, ports }: PortSet, { port, targetPort, address }: PortRequest): OpenPort {
  const kept = ports.find((one) => one.port === port)
  const target = targetPort ?? kept?.targetPort ?? defaultTarget(port)
  checkTargetPort(target)
  const taken = ports.find((one) => one.port !== port && one.targetPort === target)
  if (taken !== undefined)
    throw conflictError('TARGET_TAKEN', `port ${taken.port} of the set "${name}" has the pod's port ${target}`, {
      suggestions: [`add --target-port ${target + 1}`, 'add --name ANOTHER, for a gateway of its own'],
    })
  return { port, targetPort: target, address: address ?? kept?.address ?? 'all' }
}

/** The sets without the port; a set goes with its last one. */
export const withoutPort = (sets: readonly PortSet[], port: number): readonly PortSet[] =>
  sets
    .map((set) => ({ ...set, ports: set.ports.filter((one) => one.port !== port) }))
    .filter(({ ports }) => ports.length > 0)

/** @throws usage error INVALID_ADDRESS */
export function portAddress(text: string): PortAddress {
  const found = ADDRESSES.find((one) => one === text)
  if (found !== undefined) return found
  throw usageError('INVALID_ADDRESS', `address "${text}" is neither of ${ADDRESSES.join(', ')}`)
}
