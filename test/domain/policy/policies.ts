import type { KubeObject } from '../../../src/domain/kube-object.ts'
import { readNodes } from '../../../src/domain/policy/fence.ts'
import type { Given } from '../../../src/domain/policy/given.ts'
import { type Grant, grantPolicy } from '../../../src/domain/policy/grant.ts'
import { followingPolicies } from '../../../src/domain/policy/policies.ts'
import { NO_TENANTS } from '../../../src/domain/tenant/tenants.ts'
import { at as plain } from '../at.ts'

export const given = (grants: readonly Grant[], outside: Partial<Given> = {}): Given => ({
  exposures: [],
  external: [],
  ...outside,
  grants,
})

/** Every policy that is in force with these grants and tenants. */
export const policiesOf = (grants: readonly Grant[], at = plain, tenants = NO_TENANTS): readonly KubeObject[] => [
  readNodes(at),
  ...grants.map((grant) => grantPolicy(at, grant)),
  ...followingPolicies(at, given(grants), tenants),
]

/** An ALLOW for everybody, mesh-wide, by somebody else. */
export const everything: KubeObject = {
  apiVersion: 'security.istio.io/v1',
  kind: 'AuthorizationPolicy',
  metadata: { name: 'all', namespace: 'istio-system' },
  spec: { action: 'ALLOW', rules: [{ to: [{ operation: { ports: ['5000', '5443'] } }] }] },
}
