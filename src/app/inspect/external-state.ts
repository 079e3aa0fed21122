import type { ExternalGrant } from '../../domain/external/grant.ts'
import { revokeExternalCommand } from '../../domain/external/revoke-command.ts'
import type { Installation } from '../../domain/installation.ts'
import type { Exposure } from '../../domain/policy/exposure.ts'
import type { ProxyTemplate } from '../../domain/stack/mesh-facts.ts'
import type { Ports } from '../../ports.ts'
import { trustDomainOf } from '../cluster/mesh.ts'
import { entranceIn } from '../external/entrance.ts'
import { readExternalGrants } from '../external/grants.ts'
import { proveExternal } from '../external/prove.ts'
import type { Problems } from './problems.ts'

/** What those outside are granted; why it does not hold is a problem. */
export async function externalState(
  ports: Ports,
  at: Installation,
  exposures: readonly Exposure[],
  template: ProxyTemplate | undefined,
  problems: Problems,
): Promise<readonly ExternalGrant[]> {
  const grants = await readExternalGrants(ports.kube, at)
  const [first] = grants
  if (first === undefined) return grants
  if (entranceIn(at, exposures) === undefined)
    problems.say(
      `${first.subject}${grants.length === 1 ? '' : ` and ${grants.length - 1} more`} may push from outside, but there is no host to do it by`,
      `regctl expose HOST --tls SECRET, or ${revokeExternalCommand(first)}`,
    )
  else if (template !== undefined) {
    const all = { subjects: grants.map(({ subject }) => subject), issuers: grants.map(({ issuer }) => issuer) }
    await problems.asked(() => proveExternal(ports, at, trustDomainOf(template), all, 0))
  }
  return grants
}
