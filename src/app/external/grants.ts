import { EXTERNAL_LABEL, type ExternalGrant, externalGrantOf } from '../../domain/external/grant.ts'
import { issuerOf, keysOf } from '../../domain/external/issuer.ts'
import type { Keys } from '../../domain/external/keys.ts'
import type { WantedIssuer } from '../../domain/external/token-faults.ts'
import type { Installation } from '../../domain/installation.ts'
import type { KubeObject } from '../../domain/kube-object.ts'
import type { Kube } from '../../ports.ts'
import { isOurs } from '../cluster/ownership.ts'

type Place = Pick<Installation, 'namespace'>

const list = async (kube: Kube, at: Place, kind: string): Promise<readonly KubeObject[]> =>
  (
    await kube.list(
      { apiVersion: 'security.istio.io/v1', kind },
      { namespace: at.namespace, labelSelector: EXTERNAL_LABEL },
    )
  ).filter((object) => isOurs(object, at) && object.metadata.deletionTimestamp === undefined)

/** What those outside are granted, read from their policies. */
export const readExternalGrants = async (kube: Kube, at: Place): Promise<readonly ExternalGrant[]> =>
  (await list(kube, at, 'AuthorizationPolicy')).flatMap((policy) => externalGrantOf(policy) ?? [])

/** Where the keys of each issuer come from, by the issuer. */
export async function readIssuers(kube: Kube, at: Place): Promise<ReadonlyMap<string, Keys>> {
  const objects = await list(kube, at, 'RequestAuthentication')
  return new Map(
    objects.flatMap((object) => {
      const issuer = issuerOf(object)
      return issuer === undefined ? [] : [[issuer, keysOf(object)] as const]
    }),
  )
}

/** What the registry's proxy is to know of the issuers of these grants. */
export const wantedIssuers = (
  grants: readonly ExternalGrant[],
  issuers: ReadonlyMap<string, Keys>,
): readonly WantedIssuer[] =>
  [...Map.groupBy(grants, ({ issuer }) => issuer)].map(([issuer, own]) => ({
    issuer,
    audiences: [...new Set(own.map(({ audience }) => audience))],
    keys: issuers.get(issuer) ?? {},
  }))
