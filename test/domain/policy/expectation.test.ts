import { describe, expect, test } from 'vitest'
import { decide } from '../../../src/domain/envoy/rbac.ts'
import type { KubeObject } from '../../../src/domain/kube-object.ts'
import {
  type Expectation,
  expectations,
  outlivedExpectations,
  revokedExpectations,
} from '../../../src/domain/policy/expectation.ts'
import { fence, outlived, readNodes } from '../../../src/domain/policy/fence.ts'
import type { Grant } from '../../../src/domain/policy/grant.ts'
import { at, grantFrom, withDevelopers } from '../at.ts'
import { developerSets, grantSets } from './grant-sets.ts'
import { rbacFilters } from './istio.ts'
import { means } from './model.ts'
import { policiesOf } from './policies.ts'

const DOMAIN = 'mesh.example'
const rulesOf = (grants: readonly Grant[]) => rbacFilters(policiesOf(grants), DOMAIN)
/** With developers among them as without; the port that is not there yet expects nothing. */
const allSets = [
  ...grantSets.flatMap((set) => [
    { ...set, at },
    { ...set, at: withDevelopers },
  ]),
  ...developerSets.flatMap((set) => [
    { ...set, at },
    { ...set, at: withDevelopers },
  ]),
]

const unmet = (wanted: readonly Expectation[], grants: readonly Grant[]) => {
  const filters = rulesOf(grants)
  return wanted.filter(({ request, allowed }) => decide(filters, request).allowed !== allowed).map(({ why }) => why)
}

/** What `grant` asks for: the grants of the namespace that changed, beside all others. */
const namespacesOf = (grants: readonly Grant[]) => [...new Set(grants.map(({ namespace }) => namespace))]
const of = (namespace: string, grants: readonly Grant[]) => grants.filter((grant) => grant.namespace === namespace)

describe('what is expected of grants holds with their policies', () => {
  test.each(allSets)('$name', ({ grants, at }) => {
    expect(unmet(expectations(at, DOMAIN, grants), grants)).toEqual([])
    for (const name of namespacesOf(grants))
      expect(unmet(expectations(at, DOMAIN, of(name, grants)), grants)).toEqual([])
  })

  test.each([
    ['a repository below an exact grant is granted too', ['ci team exact', 'ci team/below']],
    ['names that once were probes', ['ci team exact', 'ci team/regctl-probe', 'ci regctl-probe--elsewhere', 'ci any']],
    ['a service account called like a probe', ['ci/regctl-probe team', 'ci team read']],
    ['a namespace called like a probe', ['regctl-probe-stranger team']],
    ['the longest name', [`ci ${'a'.repeat(200)} exact`]],
  ])('%s', (_, texts) => {
    const grants = texts.map(grantFrom)
    expect(unmet(expectations(at, DOMAIN, grants), grants)).toEqual([])
  })
})

describe('what is expected after a revoke holds with what is left', () => {
  test.each(allSets)('one of $name', ({ grants, at }) => {
    for (const revoked of grants) {
      const left = grants.filter((grant) => grant !== revoked)
      const now = of(revoked.namespace, left)
      const wanted = [...expectations(at, DOMAIN, now), ...revokedExpectations(at, DOMAIN, revoked, now)]
      expect(unmet(wanted, left)).toEqual([])
    }
  })

  test.each([...grantSets, ...developerSets])('all of $name', ({ grants }) => {
    const wanted = grants.flatMap((revoked) => revokedExpectations(withDevelopers, DOMAIN, revoked, []))
    expect(unmet(wanted, [])).toEqual([])
    expect(wanted).toHaveLength(2 * grants.length)
  })
})

describe('a change that did not arrive is seen', () => {
  test.each([...grantSets, ...developerSets])('$name', ({ grants }) => {
    const at = withDevelopers
    for (const one of grants) {
      const others = grants.filter((grant) => grant !== one)
      const now = of(one.namespace, others)
      if (isCovered(one, now)) continue
      // A grant: wanted with it, in force without. A revoke: the other way round.
      expect(unmet(expectations(at, DOMAIN, of(one.namespace, grants)), others)).not.toEqual([])
      const wanted = [...expectations(at, DOMAIN, now), ...revokedExpectations(at, DOMAIN, one, now)]
      expect(unmet(wanted, grants)).not.toEqual([])
    }
  })
})

/** Gives `one` nothing that `others` do not give already? */
function isCovered(one: Grant, others: readonly Grant[]): boolean {
  const probe = (path: string, method: string) => ({
    principal: `spiffe://${DOMAIN}/ns/${one.namespace}/sa/${one.serviceAccount ?? 'anybody'}`,
    method,
    path,
    host: 'localhost:5000',
    port: one.developer === undefined ? 5000 : 5443,
  })
  const paths = [`/v2/${one.repository}/manifests/1`, `/v2/${one.repository}/x/manifests/1`]
  return paths.every((path) =>
    ['GET', 'PUT'].every(
      (method) => means([...others, one], probe(path, method)) === means(others, probe(path, method)),
    ),
  )
}

describe('grants that are gone with their namespace', () => {
  const everybody = { apiVersion: 'security.istio.io/v1', kind: 'AuthorizationPolicy', metadata: { name: 'all' } }
  const past = [grantFrom('ci team'), grantFrom('builders/pusher app')]
  const left = [readNodes(at), fence(at, { grants: past })]
  const wanted = outlivedExpectations(at, DOMAIN, outlived(at, fence(at, { grants: past }), []))
  const unmetBy = (policies: readonly KubeObject[]) =>
    wanted.filter(({ request, allowed }) => decide(rbacFilters(policies, DOMAIN), request).allowed !== allowed)

  test('give a namesake nothing while no one else allows it', () => {
    expect(wanted).toHaveLength(4)
    expect(unmetBy(left)).toEqual([])
  })

  test('are told where somebody allows everybody in, which the fence stops for strangers alone', () => {
    const open = {
      ...everybody,
      spec: { action: 'ALLOW', rules: [{ to: [{ operation: { ports: [String(at.port)] } }] }] },
    }
    expect(unmetBy([...left, open])).toEqual(wanted)
    expect(unmetBy([readNodes(at), fence(at, { grants: [] }), open])).toEqual([])
  })
})
