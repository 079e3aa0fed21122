import { createHash } from 'node:crypto'
import { usageError } from '../../errors.ts'
import { tokenCases } from '../external/cases.ts'
import type { ExternalGrant } from '../external/grant.ts'
import { EXPOSE, exposeNamespace, type Installation } from '../installation.ts'
import type { KubeObject } from '../kube-object.ts'
import { repositoryName } from '../repository.ts'
import { quoted } from '../shell-word.ts'
import { authorizationPolicy, type Operation, type Rule } from './authorization-policy.ts'
import { READ } from './grant.ts'
import { principalOf } from './identity.ts'

/** The registry under a name of its own, for those outside. */
export type Exposure = {
  readonly host: string
  /** `NAME` alone, `NAME/*` with all below it; empty for every one. */
  readonly repositories: readonly string[]
  /** Who ends the TLS: our gateway by a Secret, the registry's proxy (`istio`), or a gateway of somebody else's. */
  readonly way: 'secret' | 'istio' | 'shared'
  /** Name of the certificate's Secret, where the gateway's pods are. */
  readonly secret?: string
  /** `NAMESPACE/NAME` of the shared Gateway. */
  readonly gateway?: string
  /** Which pods it is, where a server of ours is added to them. */
  readonly selector?: Readonly<Record<string, string>>
  /** The port of its server that ends the TLS. */
  readonly port?: number
  /** Identities of the pods that pass its requests on; none where clients come with their own. */
  readonly principals: readonly string[]
}

export const exposePrincipal = (at: Pick<Installation, 'namespace'>): string =>
  principalOf({ namespace: exposeNamespace(at), serviceAccount: EXPOSE })

/** The command that makes exactly this exposure. */
export const exposeCommand = ({ host, repositories, way, secret, gateway }: Exposure): string =>
  [
    `regctl expose ${host}`,
    ...repositories.map((one) => (one.endsWith('*') ? quoted(one) : one)),
    ...(way === 'istio' ? ['--tls istio'] : secret === undefined ? [] : [`--tls ${secret}`]),
    ...(gateway === undefined ? [] : [`--gateway ${gateway}`]),
  ].join(' ')

/** Hosts by which a token comes in: those of the gateway that is regctl's own and ends the TLS. */
export const tokenHosts = (exposures: readonly Exposure[]): readonly string[] =>
  exposures.filter(({ way }) => way === 'secret').map(({ host }) => host)

/** Does our own gateway serve it? */
export const isOnOwnGateway = ({ way }: Pick<Exposure, 'way'>): boolean => way !== 'shared'

export const EXPOSURE_LABEL = 'regctl.dev/exposure'
const ANNOTATION = 'regctl.dev/exposure'

/** Name of everything that an exposure is made of; readable start, unique end. */
export function exposureName(host: string): string {
  const digest = createHash('sha256').update(host).digest('hex').slice(0, 10)
  const readable = host.replaceAll(/[^a-z0-9-]+/g, '-').slice(0, 40)
  return `expose-${readable.replaceAll(/-+$/g, '')}-${digest}`
}

/**
 * Checks what `regctl expose` calls a repository.
 * @throws usage error INVALID_REPOSITORY
 */
export function exposedRepository(text: string): string {
  const name = text.replace(/\/\*$/, '')
  if (name.includes('*'))
    throw usageError('INVALID_REPOSITORY', `repository "${text}" has a * that is not its last component`, {
      suggestions: [`name it ${name.split('*')[0]?.replace(/\/?$/, '')}/*, for it and all below it`],
    })
  repositoryName(name)
  return text
}

/** Does it cover the repository, or with `below` also any that is below it? */
export const exposes = ({ repositories }: Pick<Exposure, 'repositories'>, repository: string): boolean =>
  repositories.length === 0 ||
  repositories.some((one) => (one.endsWith('/*') ? `${repository}/`.startsWith(one.slice(0, -1)) : one === repository))

/** The client's Host, with any port. */
export const hostsOf = ({ host }: Pick<Exposure, 'host'>): readonly string[] => [host, `${host}:*`]

const pathsOf = (repository: string): readonly string[] =>
  repository.endsWith('/*')
    ? [`/v2/${repository}`]
    : ['manifests/{*}', 'blobs/{*}', 'tags/list', 'referrers/{*}'].map((path) => `/v2/${repository}/${path}`)

/** Paths that may be read; the ping among them, by which clients find out that this is a registry. */
export const exposedPaths = ({ repositories }: Pick<Exposure, 'repositories'>): readonly string[] => [
  '/v2/',
  ...(repositories.length === 0 ? ['/v2/*'] : repositories.flatMap(pathsOf)),
]

/** The one ALLOW policy of an exposure, which also keeps what it is. */
export function exposurePolicy(at: Installation, exposure: Exposure): KubeObject {
  const { principals } = exposure
  const operation: Operation = {
    ports: [String(at.port)],
    methods: READ,
    hosts: hostsOf(exposure),
    paths: exposedPaths(exposure),
    notPaths: ['/v2/_catalog*'],
  }
  const rules = principals.length === 0 ? [] : [{ from: [{ source: { principals } }], to: [{ operation }] }]
  const name = exposureName(exposure.host)
  return authorizationPolicy(
    at,
    name,
    { action: 'ALLOW', rules },
    { labels: { [EXPOSURE_LABEL]: name }, annotations: { [ANNOTATION]: JSON.stringify(recordOf(exposure)) } },
  )
}

/** In one order, so that what was written and what is meant are the same text. */
function recordOf({ host, repositories, way, secret, gateway, selector, port, principals }: Exposure): Exposure {
  return {
    host,
    repositories,
    way,
    ...(secret === undefined ? {} : { secret }),
    ...(gateway === undefined ? {} : { gateway }),
    ...(selector === undefined ? {} : { selector }),
    ...(port === undefined ? {} : { port }),
    principals,
  }
}

/** Reads an exposure back from its policy; undefined where the annotation is missing or not ours. */
export function exposureOf(policy: KubeObject): Exposure | undefined {
  try {
    const { host, repositories, way, secret, gateway, selector, port, principals } = JSON.parse(
      policy.metadata.annotations?.[ANNOTATION] ?? '{}',
    ) as Partial<Exposure>
    if (typeof host !== 'string' || policy.metadata.name !== exposureName(host)) return undefined
    if (!Array.isArray(repositories) || !Array.isArray(principals)) return undefined
    if (way !== 'secret' && way !== 'istio' && way !== 'shared') return undefined
    return recordOf({ host, repositories, way, secret, gateway, selector, port, principals } as Exposure)
  } catch {
    return undefined
  }
}

export const principalsIn = (exposures: readonly Exposure[]): readonly string[] =>
  [...new Set(exposures.flatMap(({ principals }) => principals))].sort()

/**
 * The fence's part: whatever somebody else allows, a gateway reads what is exposed under the host it was asked for, and
 * writes nothing; but for the token of somebody outside who was granted more, which only our own gateway may carry.
 */
export function exposureRules(
  at: Installation,
  exposures: readonly Exposure[],
  external: readonly ExternalGrant[] = [],
): readonly Rule[] {
  const ports = [String(at.port)]
  return principalsIn(exposures).flatMap((principal) => {
    const own = exposures
      .filter(({ principals }) => principals.includes(principal))
      .toSorted((one, other) => (one.host < other.host ? -1 : 1))
    const outside = own.filter(({ repositories }) => repositories.length > 0)
    return tokenCases(principal === exposePrincipal(at) ? external : []).map(({ when, reads, writes }) => ({
      from: [{ source: { principals: [principal] } }],
      to: [
        { operation: { ports, notMethods: READ, ...(writes.length === 0 ? {} : { notPaths: writes }) } },
        { operation: { ports, notHosts: own.flatMap(hostsOf) } },
        ...outside.map((one) => ({
          operation: { ports, hosts: hostsOf(one), notPaths: [...exposedPaths(one), ...reads] },
        })),
      ],
      ...(when.length === 0 ? {} : { when }),
    }))
  })
}
