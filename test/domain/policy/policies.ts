import type { KubeObject } from '../../../src/domain/kube-object.ts'
import { fence, namespaceFence, readNodes } from '../../../src/domain/policy/fence.ts'
import { type Grant, grantPolicy } from '../../../src/domain/policy/grant.ts'
import { at as plain } from '../at.ts'

/** Every policy that is in force with these grants. */
export const policiesOf = (grants: readonly Grant[], at = plain): readonly KubeObject[] => [
  readNodes(at),
  fence(at, grants),
  ...grants.map((grant) => grantPolicy(at, grant)),
  ...[...new Set(grants.map(({ namespace }) => namespace))].map((name) => namespaceFence(at, name, grants)),
]
