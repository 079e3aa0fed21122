import type { Installation } from '../installation.ts'
import type { KubeObject } from '../kube-object.ts'
import { HANDLERS, HARMLESS_HOST, HOOKS, PROBES } from '../tenant/loopback-rules.ts'
import type { Tenants } from '../tenant/tenants.ts'
import { podPolicies, quoted } from './pod-admission.ts'

/** The hosts a container's probes and hooks name, in CEL. */
const HOSTS = `[${[...PROBES.map((probe) => `c.?${probe}`), ...HOOKS.map((hook) => `c.?lifecycle.?${hook}`)]
  .flatMap((action) => HANDLERS.map((handler) => `${action}.?${handler}.?host.orValue('')`))
  .join(', ')}]`

const hostsOf = (spec: string): string =>
  ['containers', 'initContainers']
    .map((list) => `(has(${spec}.${list}) ? ${spec}.${list}.map(c, ${HOSTS}) : [])`)
    .join(' + ')

/** The pod has no such thing, or had it before. */
const newly = (spec: string, old: string, field: string): string => {
  const has = (object: string) => `has(${object}.${field}) && ${object}.${field}`
  return `!(${has(spec)}) || (oldObject != null && ${has(old)})`
}

/**
 * Names decide nothing where a pod can ask the node's port itself: on the node's network, or through the kubelet, which
 * asks for it what a probe or a hook says. Nor where it sees the node's processes, and with the proxy's uid what those
 * have. Every namespace is bound, those made later too, but the ones that are named.
 */
export function loopbackPolicies(
  at: Installation,
  { exempt: accepted }: Pick<Tenants, 'exempt'>,
  exempt: readonly string[],
): readonly KubeObject[] {
  return podPolicies(at, 'node-loopback', exempt, ({ spec, old }) => ({
    variables: [
      {
        name: 'exempt',
        expression: `request.namespace in [${accepted.map(quoted).join(', ')}]`,
      },
      { name: 'before', expression: `oldObject == null ? [] : ${hostsOf(old)}` },
      {
        name: 'hosts',
        expression: `(${hostsOf(spec)}).filter(l, !(l in variables.before) && !l.all(h, h.matches(${quoted(HARMLESS_HOST)})))`,
      },
    ],
    validations: [
      {
        expression: `variables.exempt || ${newly(spec, old, 'hostNetwork')}`,
        message: `hostNetwork reaches the node's loopback, and with it the images of every tenant at localhost:${at.port}; only exempt namespaces have it: regctl tenant list`,
      },
      {
        expression: `variables.exempt || ${newly(spec, old, 'hostPID')}`,
        message:
          "hostPID opens the identity of the node's proxy to a pod with its uid, and with it the images of every tenant; only exempt namespaces have it: regctl tenant list",
      },
      {
        expression: 'variables.exempt || variables.hosts.size() == 0',
        message: `"host" in a probe or hook may be an IPv4 address that is not the node's loopback: a name can lead to localhost:${at.port}; leave it out to ask the pod`,
      },
    ],
  }))
}
