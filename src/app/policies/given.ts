import type { Installation } from '../../domain/installation.ts'
import type { Given } from '../../domain/policy/given.ts'
import type { Kube } from '../../ports.ts'
import { readExposures } from '../expose/exposures.ts'
import { readExternalGrants } from '../external/grants.ts'
import { readGrants } from '../grant/grants.ts'

/** Everything in the cluster that gives somebody a repository. */
export async function readGiven(kube: Kube, at: Pick<Installation, 'namespace'>): Promise<Given> {
  const [grants, exposures, external] = await Promise.all([
    readGrants(kube, at),
    readExposures(kube, at),
    readExternalGrants(kube, at),
  ])
  return { grants, exposures, external }
}
