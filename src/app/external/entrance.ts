import type { Entrance } from '../../domain/external/expectation.ts'
import type { Installation } from '../../domain/installation.ts'
import { type Exposure, exposePrincipal, tokenHosts } from '../../domain/policy/exposure.ts'
import { preconditionError } from '../../errors.ts'
import type { Kube } from '../../ports.ts'
import { readExposures } from '../expose/exposures.ts'

export const entranceIn = (at: Installation, exposures: readonly Exposure[]): Entrance | undefined => {
  const host = tokenHosts(exposures)[0]
  return host === undefined ? undefined : { principal: exposePrincipal(at), host }
}

/** @throws precondition error NOT_EXPOSED */
export async function requireHosts(kube: Kube, at: Installation): Promise<readonly string[]> {
  const hosts = tokenHosts(await readExposures(kube, at))
  if (hosts.length > 0) return hosts
  throw preconditionError('NOT_EXPOSED', 'there is no host by which a token could come in', {
    suggestions: ['regctl expose HOST --tls SECRET'],
  })
}
