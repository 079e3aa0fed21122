import { conflictError, usageError } from '../../errors.ts'
import type { Installation } from '../installation.ts'

/** Below, a process without root may not listen on every cluster. */
const UNPRIVILEGED = 1024
/** The proxy's own (https://istio.io/latest/docs/ops/deployment/application-requirements/). */
const ISTIO = { from: 15_000, to: 15_099 } as const
/** The node proxy's own ports, on the node itself. */
const NODE_PROXY = { from: 15_900, to: 15_999 } as const

const isPort = (port: number): boolean => Number.isInteger(port) && port >= 1 && port <= 65_535

/**
 * @throws usage error INVALID_PORT; conflict error REGISTRY_PORT for one that belongs to the registry
 */
export function checkPort(at: Pick<Installation, 'port'>, port: number): void {
  if (!isPort(port)) throw usageError('INVALID_PORT', `port ${port} is not between 1 and 65535`)
  // Whoever answers there is the registry to every kubelet, whatever port this one has.
  const isRegistry = port === at.port || port === 5000
  if (!isRegistry && (port < NODE_PROXY.from || port > NODE_PROXY.to)) return
  const owner = isRegistry ? "the registry's on every node" : "the node proxy's own"
  throw conflictError('REGISTRY_PORT', `port ${port} is ${owner}, and for no gateway`, {
    suggestions: ['choose another port'],
  })
}

/** @throws usage error INVALID_TARGET_PORT */
export function checkTargetPort(port: number): void {
  if (isPort(port) && (port < ISTIO.from || port > ISTIO.to)) return
  const why = isPort(port) ? `is one of the proxy's own (${ISTIO.from} to ${ISTIO.to})` : 'is not between 1 and 65535'
  throw usageError('INVALID_TARGET_PORT', `target port ${port} ${why}`, { suggestions: ['add --target-port 8443'] })
}

export const defaultTarget = (port: number): number => {
  if (port < UNPRIVILEGED) return port + 8000
  return port >= ISTIO.from && port <= ISTIO.to ? port + 1000 : port
}

const NAME = /^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?$/

/** @throws usage error INVALID_NAME */
export function setName(text: string): string {
  if (NAME.test(text) && text.length <= 40) return text
  throw usageError('INVALID_NAME', `name "${text}" is not one such as web: lowercase letters, digits and dashes`)
}
