import { developerPort, type Installation, localHosts, NODE_PROXY, nodeNamespace } from '../installation.ts'
import type { KubeObject, OwnerReference } from '../kube-object.ts'
import { authorizationPolicy, type Operation, type Rule, type Spec } from './authorization-policy.ts'
import { closedPaths } from './closed.ts'
import { type Exposure, exposureRules, principalsIn } from './exposure.ts'
import type { Given } from './given.ts'
import { GRANT_LABEL, type Grant, grantPort, isDeveloper, LISTINGS, READ, WRITE, writePaths } from './grant.ts'
import { principalOf } from './identity.ts'

export const FENCE = 'fence'
export const READ_NODES = 'read-nodes'

export const nodePrincipal = (at: Installation): string =>
  principalOf({ namespace: nodeNamespace(at), serviceAccount: NODE_PROXY })

/** What a node asks for, whoever carries it. */
export const pull = (at: Installation): Operation => ({
  ports: [String(at.port)],
  methods: READ,
  paths: ['/v2/', '/v2/*'],
  notPaths: LISTINGS,
  hosts: localHosts(at),
})

/** What no node asks for. */
export const noPull = (at: Installation, ports = [String(at.port)]): readonly Operation[] => [
  { ports, notMethods: READ },
  { ports, notHosts: localHosts(at) },
  { ports, paths: LISTINGS },
]

/** Pulls: the node proxies read by name and digest, for the names a container runtime uses. */
export function readNodes(at: Installation): KubeObject {
  return authorizationPolicy(at, READ_NODES, {
    action: 'ALLOW',
    rules: [
      {
        from: [{ source: { principals: [nodePrincipal(at)] } }],
        to: [{ operation: pull(at) }],
      },
    ],
  })
}

export const principalsOf = (grants: readonly Grant[]): readonly string[] =>
  [...new Set(grants.map(principalOf))].sort()

/** Who is no stranger at the builders' port. */
const knownTo = (at: Installation, grants: readonly Grant[], exposures: readonly Exposure[]): readonly string[] => {
  const builders = principalsOf(grants.filter((grant) => !isDeveloper(grant)))
  // In the order in which they are asked for: most requests are a node's.
  return [...new Set([nodePrincipal(at), ...[...builders, ...principalsIn(exposures)].sort()])]
}

/**
 * The DENY that holds whatever somebody else allows, in the mesh's root namespace too: DENY comes before ALLOW.
 * Strangers get nothing, nodes never write, nobody reads the catalog or deletes; developers and builders get nothing
 * by each other's port, and gateways get what they expose. `ports` stands in every rule because on a TCP chain Istio drops the HTTP conditions of a DENY and
 * would widen it to all ports. The developers' port is fenced before it exists, so that it never serves without.
 */
export function fence(
  at: Installation,
  { grants, exposures = [], external = [] }: Pick<Given, 'grants'> & Partial<Given>,
  /** Tenants that are closed. */
  closed: readonly string[] = [],
): KubeObject {
  const [ports, theirs] = [[String(at.port)], [String(developerPort(at))]]
  const developers = principalsOf(grants.filter(isDeveloper))
  const nodes = [{ source: { principals: [nodePrincipal(at)] } }]
  return authorizationPolicy(at, FENCE, {
    action: 'DENY',
    rules: [
      {
        from: [{ source: { notPrincipals: knownTo(at, grants, exposures) } }],
        // Strangers to a closed tenant are its own policy's: Envoy goes through all who are known, one by one.
        to: [{ operation: { ports, ...(closed.length === 0 ? {} : { notPaths: closedPaths(closed) }) } }],
      },
      ...leavingClosed(closed, ports),
      {
        // Without a developer the port is nobody's.
        ...(developers.length === 0 ? {} : { from: [{ source: { notPrincipals: developers } }] }),
        to: [{ operation: { ports: theirs } }],
      },
      // A grant to all accounts of a namespace has the developer's among them.
      ...(developers.length === 0
        ? []
        : [{ from: [{ source: { principals: developers } }], to: [{ operation: { ports } }] }]),
      {
        from: nodes,
        to: noPull(at, ports).map((operation) => ({ operation })),
      },
      ...exposureRules(at, exposures, external),
      {
        to: [
          { operation: { ports: [...ports, ...theirs], paths: ['/v2/_catalog*'] } },
          { operation: { ports: [...ports, ...theirs], notPaths: ['/v2/', '/v2/*'] } },
          { operation: { ports: [...ports, ...theirs], notMethods: [...READ, ...WRITE] } },
        ],
      },
    ],
  })
}

/** Closed tenants write in their own repositories; in each other's, their policies refuse them. */
function leavingClosed(closed: readonly string[], ports: readonly string[]): readonly Rule[] {
  if (closed.length === 0) return []
  const principals = closed.map((namespace) => principalOf({ namespace }))
  const operation = { ports, notMethods: READ, notPaths: closedPaths(closed) }
  return [{ from: [{ source: { principals } }], to: [{ operation }] }]
}

/** Name of a namespace's own fence. */
export const writesName = (namespace: string): string => `writes-${namespace}`

/** Keeps a granted namespace to its own repositories even where a foreign policy allows it more. */
export function namespaceFence(
  at: Installation,
  namespace: string,
  grants: readonly Grant[],
  owner?: OwnerReference,
): KubeObject {
  const own = grants.filter((grant) => grant.namespace === namespace)
  const from = [{ source: { principals: [principalOf({ namespace })] } }]
  const outside = (some: readonly Grant[]): readonly Rule[] => {
    const [first] = some
    if (first === undefined) return []
    const notPaths = [...new Set(some.flatMap(writePaths))].sort()
    const ports = [String(grantPort(at, first))]
    return [{ from, to: [{ operation: { ports, notMethods: READ, ...(notPaths.length === 0 ? {} : { notPaths }) } }] }]
  }
  return authorizationPolicy(
    at,
    writesName(namespace),
    {
      action: 'DENY',
      rules: [...outside(own.filter((grant) => !isDeveloper(grant))), ...outside(own.filter(isDeveloper))],
    },
    { labels: { [GRANT_LABEL]: namespace }, ...(owner === undefined ? {} : { owner }) },
  )
}

/** Principals a fence takes for grantees though their grants are gone, as after a granted namespace was deleted. */
export function outlived(
  at: Installation,
  live: KubeObject,
  grants: readonly Grant[],
  exposures: readonly Exposure[] = [],
): readonly string[] {
  const known = new Set([...knownTo(at, grants, exposures), ...principalsOf(grants)])
  const rules = (live.spec as Partial<Spec> | undefined)?.rules ?? []
  return rules
    .flatMap(({ from = [] }) => from.flatMap(({ source }) => source.notPrincipals ?? []))
    .filter((principal) => !known.has(principal))
}
