import { createHash } from 'node:crypto'
import { developerPort, type Installation } from '../installation.ts'
import type { KubeObject, OwnerReference } from '../kube-object.ts'
import { isWithin } from '../repository.ts'
import { authorizationPolicy, type Operation } from './authorization-policy.ts'
import { type Identity, principalOf } from './identity.ts'

/** What a namespace's workloads may do with a repository. */
export type Grant = Identity & {
  readonly repository: string
  /** The repository alone; otherwise all below it too. */
  readonly exact: boolean
  readonly readOnly: boolean
  /** `user:NAME` or `group:NAME`: who outside the cluster may take on the service account. Absent for workloads. */
  readonly developer?: string
}

/** The repositories of a grant, whoever has it. */
export type RepositoryScope = Pick<Grant, 'repository' | 'exact' | 'readOnly'>

/** A developer's grant holds at the developers' port, and only there. */
export const isDeveloper = ({ developer }: Pick<Grant, 'developer'>): boolean => developer !== undefined

export const grantPort = (at: Installation, grant: Pick<Grant, 'developer'>): number =>
  isDeveloper(grant) ? developerPort(at) : at.port

export const GRANT_LABEL = 'regctl.dev/grant'
const ANNOTATION = 'regctl.dev/grant'

/** Two grants with the same key are the same grant. */
export function grantKey(grant: Grant): string {
  return [
    grant.namespace,
    grant.serviceAccount ?? '*',
    grant.repository,
    grant.exact ? 'exact' : 'subtree',
    grant.readOnly ? 'read' : 'write',
    ...(grant.developer === undefined ? [] : [grant.developer]),
  ].join(' ')
}

/** Readable start, unique end: a repository may hold characters and lengths that an object name may not. */
export function grantName(grant: Grant): string {
  const digest = createHash('sha256').update(grantKey(grant)).digest('hex').slice(0, 10)
  const readable = `${grant.namespace}-${grant.repository}`.replaceAll(/[^a-z0-9-]+/g, '-').slice(0, 80)
  return `grant-${readable.replaceAll(/-+$/g, '')}-${digest}`
}

export const READ = ['GET', 'HEAD']
/** DELETE is missing on purpose: image data goes only when asked for by name. */
export const WRITE = ['POST', 'PUT', 'PATCH']

/** Listing the catalog or a repository's tags tells more than a pull needs. */
export const LISTINGS = ['/v2/_catalog*', '*/tags/list', '*/tags/list/'] as const

/** Paths a grant may write. A prefix ends in `/`, so `example` never reaches `example2`. */
export function writePaths(grant: RepositoryScope): readonly string[] {
  const base = `/v2/${grant.repository}`
  if (grant.readOnly) return []
  return grant.exact ? [`${base}/manifests/{*}`, `${base}/blobs/uploads/`, `${base}/blobs/uploads/{*}`] : [`${base}/*`]
}

export function readPaths(grant: RepositoryScope): readonly string[] {
  const base = `/v2/${grant.repository}`
  return grant.exact
    ? [
        `${base}/manifests/{*}`,
        `${base}/blobs/{*}`,
        `${base}/blobs/uploads/{*}`,
        `${base}/tags/list`,
        `${base}/referrers/{*}`,
      ]
    : [`${base}/*`]
}

/** Every path a grant gives, to read or to write. */
export const grantPaths = (grant: RepositoryScope): readonly string[] => [
  ...new Set([...readPaths(grant), ...writePaths(grant)]),
]

/**
 * One operation where one will do: Envoy looks at every grant, and asks whose a request is, which costs it most, only
 * where an operation fits.
 */
function operations(at: Installation, grant: Grant): readonly Operation[] {
  const ports = [String(grantPort(at, grant))]
  if (grant.readOnly) return [{ ports, methods: READ, paths: ['/v2/', ...readPaths(grant)] }]
  const [reads, writes] = [readPaths(grant), writePaths(grant)]
  if (!grant.exact) return [{ ports, methods: [...READ, ...WRITE], paths: writes }]
  return [
    { ports, methods: READ, paths: reads },
    { ports, methods: WRITE, paths: writes },
  ]
}

/** The ALLOW policy of a grant, for its own repository; it goes with its Namespace object. */
export function grantPolicy(at: Installation, grant: Grant, owner?: OwnerReference): KubeObject {
  return authorizationPolicy(
    at,
    grantName(grant),
    {
      action: 'ALLOW',
      rules: [
        {
          from: [{ source: { principals: [principalOf(grant)] } }],
          to: operations(at, grant).map((operation) => ({ operation })),
        },
      ],
    },
    {
      labels: { [GRANT_LABEL]: grant.namespace },
      annotations: { [ANNOTATION]: JSON.stringify(grantRecord(grant)) },
      ...(owner === undefined ? {} : { owner }),
    },
  )
}

function grantRecord(grant: Grant): Grant {
  const { namespace, serviceAccount, repository, exact, readOnly, developer } = grant
  return {
    namespace,
    ...(serviceAccount === undefined ? {} : { serviceAccount }),
    repository,
    exact,
    readOnly,
    ...(developer === undefined ? {} : { developer }),
  }
}

/** Reads a grant back from its policy; undefined where the annotation is missing or not ours. */
export function grantOf(policy: KubeObject): Grant | undefined {
  try {
    const record: unknown = JSON.parse(policy.metadata.annotations?.[ANNOTATION] ?? 'null')
    if (typeof record !== 'object' || record === null) return undefined
    const { namespace, serviceAccount, repository, exact, readOnly, developer } = record as Partial<Grant>
    if (typeof namespace !== 'string' || typeof repository !== 'string') return undefined
    // Whoever a developer is, the identity is one account; without it the grant would be all of the namespace's.
    if (developer !== undefined && (typeof developer !== 'string' || typeof serviceAccount !== 'string'))
      return undefined
    return {
      namespace,
      ...(typeof serviceAccount === 'string' ? { serviceAccount } : {}),
      repository,
      exact: exact === true,
      readOnly: readOnly === true,
      ...(developer === undefined ? {} : { developer }),
    }
  } catch {
    return undefined
  }
}

/** Can both grants write one and the same repository? */
export function writesOverlap(a: RepositoryScope, b: RepositoryScope): boolean {
  if (a.readOnly || b.readOnly) return false
  if (a.exact && b.exact) return a.repository === b.repository
  if (a.exact) return isWithin(a.repository, b.repository)
  if (b.exact) return isWithin(b.repository, a.repository)
  return isWithin(a.repository, b.repository) || isWithin(b.repository, a.repository)
}
