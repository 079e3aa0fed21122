import { usageError } from '../../errors.ts'
import type { Installation } from '../installation.ts'
import type { KubeObject } from '../kube-object.ts'
import type { GuardedGateway } from '../stack/gateway-admission.ts'
import type { PortSet } from './port-set.ts'

/** Label on every object of a port set, with its name; on the list of all sets the value is empty. */
export const PORT_SET_LABEL = 'regctl.dev/port-set'

/** Name of a set's DaemonSet, Service and service account, and of its pods in every customary label. */
export const gatewayName = (set: string): string => `registry-ports-${set}`

/**
 * A namespace for each set: a gateway serves every TLS Secret of its namespace to whichever Gateway names it.
 * @throws usage error INVALID_NAME
 */
export function portNamespace({ namespace }: Pick<Installation, 'namespace'>, set: string): string {
  const name = `${namespace}-ports-${set}`
  if (name.length <= 63) return name
  throw usageError('INVALID_NAME', `name "${set}" is too long: namespace "${name}" would have over 63 letters`)
}

export const isPortNamespace = ({ namespace }: Pick<Installation, 'namespace'>, name: string): boolean =>
  name.startsWith(`${namespace}-ports-`)

/** The set an object is of. */
export const setOf = ({ metadata }: KubeObject): string | undefined => metadata.labels?.[PORT_SET_LABEL] || undefined

export const portHost = (at: Pick<Installation, 'namespace' | 'clusterDomain'>, set: string): string =>
  `${gatewayName(set)}.${portNamespace(at, set)}.svc.${at.clusterDomain}`

export function guardedSet(at: Pick<Installation, 'namespace'>, set: PortSet): GuardedGateway {
  const home = portNamespace(at, set.name)
  return {
    policy: `regctl-gateways-${home}`,
    value: gatewayName(set.name),
    attachable: [home, ...set.gatewaysFrom],
    what: `the gateway of the open ports "${set.name}" (namespace ${home}; regctl open-port --gateways-from names more)`,
  }
}
