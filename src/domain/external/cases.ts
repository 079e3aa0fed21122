import type { Condition } from '../policy/authorization-policy.ts'
import { readPaths, writePaths } from '../policy/grant.ts'
import { claim, type ExternalGrant, notClaim, scopeOf } from './grant.ts'

/** One kind of request as its token tells it apart, and what it may beside what everybody may. */
export type TokenCase = {
  readonly when: readonly Condition[]
  readonly reads: readonly string[]
  readonly writes: readonly string[]
}

/**
 * Every request is exactly one of these: without a token, or with one of an issuer nobody granted; of a granted issuer, for a
 * subject nobody granted; of one granted subject. So the fence holds for each of them by itself, whatever others allow.
 */
export function tokenCases(grants: readonly ExternalGrant[]): readonly TokenCase[] {
  if (grants.length === 0) return [{ when: [], reads: [], writes: [] }]
  const byIssuer = Map.groupBy(grants, ({ issuer }) => issuer)
  const issuers = [...byIssuer.keys()].sort()
  return [
    { when: [notClaim('iss', issuers)], reads: [], writes: [] },
    ...issuers.flatMap((issuer) => {
      const bySubject = Map.groupBy(byIssuer.get(issuer) ?? [], ({ subject }) => subject)
      const subjects = [...bySubject.keys()].sort()
      const iss = claim('iss', [issuer])
      return [
        { when: [iss, notClaim('sub', subjects)], reads: [], writes: [] },
        ...subjects.map((subject) => granted([iss, claim('sub', [subject])], bySubject.get(subject) ?? [])),
      ]
    }),
  ]
}

function granted(when: readonly Condition[], grants: readonly ExternalGrant[]): TokenCase {
  const scopes = grants.map(scopeOf)
  const writes = unique(scopes.flatMap(writePaths))
  return { when, writes, reads: unique([...scopes.flatMap(readPaths), ...writes]) }
}

const unique = (paths: readonly string[]): readonly string[] => [...new Set(paths)].sort()
