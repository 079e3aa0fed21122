import { externalExpectations, revokedExternalExpectations } from '../../domain/external/expectation.ts'
import type { ExternalGrant } from '../../domain/external/grant.ts'
import type { Installation } from '../../domain/installation.ts'
import type { Ports } from '../../ports.ts'
import { readExposures } from '../expose/exposures.ts'
import { prove } from '../grant/prove.ts'
import { entranceIn } from './entrance.ts'
import { readExternalGrants, readIssuers, wantedIssuers } from './grants.ts'

/** Waits until every Ready registry proxy gives tokens what the grants give now, and nothing that was revoked. */
export function proveExternal(
  ports: Ports,
  at: Installation,
  trustDomain: string,
  revoked: readonly ExternalGrant[],
  timeoutMs: number,
): Promise<number> {
  const { kube } = ports
  const wanted = async () => {
    const entrance = entranceIn(at, await readExposures(kube, at))
    const now = await readExternalGrants(kube, at)
    // Without a way in the gateway is a stranger like any other.
    if (entrance === undefined) return []
    return [
      ...externalExpectations(at, trustDomain, entrance, now),
      ...revoked.flatMap((one) => revokedExternalExpectations(at, trustDomain, entrance, one, now)),
    ]
  }
  const issuers = async () => wantedIssuers(await readExternalGrants(kube, at), await readIssuers(kube, at))
  return prove(ports, at, wanted, timeoutMs, issuers)
}
