import type { V1Container, V1PodSpec } from '@kubernetes/client-node'
import { QUAD } from './spelling.ts'

/** A host a probe or a hook may name: an address that is no node's loopback. A name could lead anywhere. */
export const HARMLESS_HOST = `^(${QUAD})?$`

export const PROBES = ['livenessProbe', 'readinessProbe', 'startupProbe'] as const
export const HOOKS = ['postStart', 'preStop'] as const
export const HANDLERS = ['httpGet', 'tcpSocket'] as const

/** What would take a pod to its node's loopback, or to the identity that reads from there, and so to everything a node may read. */
export function loopbackFaults(spec: V1PodSpec | undefined): readonly string[] {
  const containers = [...(spec?.containers ?? []), ...(spec?.initContainers ?? [])]
  const hosts = containers.flatMap(hostsOf).filter((host) => !new RegExp(HARMLESS_HOST).test(host))
  return [
    ...(spec?.hostNetwork === true ? ["hostNetwork reaches the node's loopback"] : []),
    ...(spec?.hostPID === true ? ["hostPID opens the identity of the node's proxy"] : []),
    ...[...new Set(hosts)].map((host) => `"host" in a probe or hook is "${host}"`),
  ]
}

const hostsOf = (container: V1Container): readonly string[] =>
  [...PROBES.map((probe) => container[probe]), ...HOOKS.map((hook) => container.lifecycle?.[hook])].flatMap((action) =>
    HANDLERS.flatMap((handler) => action?.[handler]?.host ?? []),
  )
