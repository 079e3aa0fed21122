import type { Installation } from '../installation.ts'
import type { KubeObject } from '../kube-object.ts'
import { exposePrincipal } from '../policy/exposure.ts'
import { type ExternalGrant, externalPolicy } from './grant.ts'
import { requestAuthentication } from './issuer.ts'
import type { Keys } from './keys.ts'
import { noMount } from './no-mount.ts'

/** Everything that the grants to those outside are made of, beside the fence. */
export function externalObjects(
  at: Installation,
  grants: readonly ExternalGrant[],
  issuers: ReadonlyMap<string, Keys>,
): readonly KubeObject[] {
  if (grants.length === 0) return []
  const names = [...new Set(grants.map(({ issuer }) => issuer))]
  return [
    noMount(at, exposePrincipal(at)),
    ...names.flatMap((issuer) => requestAuthentication(at, issuer, issuers.get(issuer) ?? {}, grants) ?? []),
    ...grants.map((grant) => externalPolicy(at, grant, exposePrincipal(at))),
  ]
}
