import type { Installation } from '../../domain/installation.ts'
import { describeRef, type OwnerReference, refOf } from '../../domain/kube-object.ts'
import {
  DEVELOPER_ANNOTATION,
  type DeveloperAccount,
  developerAccess,
  developerServiceAccount,
} from '../../domain/policy/developer.ts'
import type { Grant } from '../../domain/policy/grant.ts'
import { conflictError } from '../../errors.ts'
import type { Kube, Ports } from '../../ports.ts'
import { isOurs } from '../cluster/ownership.ts'

/** True where something was not there yet. */
export async function giveAccess(
  kube: Kube,
  at: Installation,
  wanted: DeveloperAccount,
  owner: OwnerReference,
  forward: boolean,
): Promise<boolean> {
  const objects = developerAccess(at, wanted, forward, owner)
  const found = await Promise.all(objects.map((object) => kube.get(refOf(object))))
  const foreign = found.find((object) => object !== undefined && !isOurs(object, at))
  if (foreign !== undefined)
    throw conflictError('NOT_OURS', `${describeRef(refOf(foreign))} exists and is not regctl's`, {
      suggestions: [`kubectl delete ${foreign.kind.toLowerCase()} -n ${wanted.namespace} ${foreign.metadata.name}`],
    })
  // One that is there already, and nobody's, stays as it is.
  const made = await kube.create(developerServiceAccount(at, wanted))
  for (const object of objects) await kube.apply(object, { force: true })
  return made !== undefined || found.includes(undefined)
}

/** With the last grant of an account go the rights to it, and the account where regctl made it. */
export async function tidyAccounts(
  { kube }: Pick<Ports, 'kube'>,
  at: Installation,
  gone: readonly Grant[],
  left: readonly Grant[],
): Promise<void> {
  for (const { namespace, serviceAccount, developer } of gone) {
    if (developer === undefined || serviceAccount === undefined) continue
    if (left.some((one) => one.namespace === namespace && one.serviceAccount === serviceAccount)) continue
    const account: DeveloperAccount = { namespace, serviceAccount, developer }
    for (const object of developerAccess(at, account, true)) {
      const found = await kube.get(refOf(object))
      if (found !== undefined && isOurs(found, at)) await kube.remove(refOf(found))
    }
    const made = await kube.get(refOf(developerServiceAccount(at, account)))
    if (made !== undefined && isOurs(made, at) && made.metadata.annotations?.[DEVELOPER_ANNOTATION] === developer)
      await kube.remove(refOf(made))
  }
}
