import { createHash } from 'node:crypto'
import type { Installation } from '../installation.ts'
import type { KubeObject } from '../kube-object.ts'
import { authorizationPolicy, type Condition, type Operation, type Rule } from '../policy/authorization-policy.ts'
import { READ, type RepositoryScope, readPaths, WRITE, writePaths } from '../policy/grant.ts'

/** Whoever shows a token of this issuer with this subject, for this audience, at the gateway. */
export type ExternalIdentity = { readonly issuer: string; readonly subject: string; readonly audience: string }

/** What somebody outside, with no certificate of the mesh, may push. */
export type ExternalGrant = ExternalIdentity & {
  readonly repository: string
  /** The repository alone; otherwise all below it too. */
  readonly exact: boolean
}

/** On everything that is there for external grants; its value is the issuer's digest, or the fixed name of what they share. */
export const EXTERNAL_LABEL = 'regctl.dev/external'
const ANNOTATION = 'regctl.dev/external'

const digestOf = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 10)

/** Stands for an issuer where a URL cannot: in names and labels. */
export const issuerDigest = (issuer: string): string => digestOf(issuer)

/** Two grants with the same key are the same grant. JSON, because a subject may hold any character. */
export const externalKey = ({ issuer, subject, audience, repository, exact }: ExternalGrant): string =>
  JSON.stringify([issuer, subject, audience, repository, exact])

export function externalName(grant: ExternalGrant): string {
  const readable = grant.repository.replaceAll(/[^a-z0-9-]+/g, '-').slice(0, 60)
  return `external-${readable}-${digestOf(externalKey(grant))}`
}

export const scopeOf = ({ repository, exact }: ExternalGrant): RepositoryScope => ({
  repository,
  exact,
  readOnly: false,
})

/**
 * By the claims themselves: Istio cuts a `requestPrincipals` entry at its last slash, and the subjects of GitHub Actions hold
 * several, so an entry for one would never fit.
 */
export const claim = (name: string, values: readonly string[]): Condition => ({
  key: `request.auth.claims[${name}]`,
  values,
})

export const notClaim = (name: string, notValues: readonly string[]): Condition => ({
  key: `request.auth.claims[${name}]`,
  notValues,
})

/** The one ALLOW policy of a grant: a gateway's identity and the token, both. */
export function externalPolicy(at: Installation, grant: ExternalGrant, gateway: string): KubeObject {
  const ports = [String(at.port)]
  const scope = scopeOf(grant)
  const operations: readonly Operation[] = [
    { ports, methods: READ, paths: ['/v2/', ...readPaths(scope)] },
    { ports, methods: WRITE, paths: writePaths(scope) },
  ]
  const rule: Rule = {
    from: [{ source: { principals: [gateway] } }],
    to: operations.map((operation) => ({ operation })),
    when: [claim('iss', [grant.issuer]), claim('sub', [grant.subject]), claim('aud', [grant.audience])],
  }
  return authorizationPolicy(
    at,
    externalName(grant),
    { action: 'ALLOW', rules: [rule] },
    {
      labels: { [EXTERNAL_LABEL]: issuerDigest(grant.issuer) },
      annotations: { [ANNOTATION]: JSON.stringify(recordOf(grant)) },
    },
  )
}

function recordOf({ issuer, subject, audience, repository, exact }: ExternalGrant): ExternalGrant {
  return { issuer, subject, audience, repository, exact }
}

/** Reads a grant back from its policy; undefined where the annotation is missing or not ours. */
export function externalGrantOf(policy: KubeObject): ExternalGrant | undefined {
  try {
    const record = JSON.parse(policy.metadata.annotations?.[ANNOTATION] ?? 'null') as Partial<ExternalGrant> | null
    const { issuer, subject, audience, repository, exact } = record ?? {}
    if (typeof issuer !== 'string' || typeof subject !== 'string' || typeof audience !== 'string') return undefined
    if (typeof repository !== 'string') return undefined
    return { issuer, subject, audience, repository, exact: exact === true }
  } catch {
    return undefined
  }
}
