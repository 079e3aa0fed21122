import { randomInt } from 'node:crypto'
import type { KubeObject } from '../../domain/kube-object.ts'
import { accountName } from '../../domain/policy/developer.ts'
import { type Grant, grantOf, isDeveloper } from '../../domain/policy/grant.ts'
import { conflictError } from '../../errors.ts'
import type { DeveloperGrant, DeveloperWanted } from './developer.ts'

/** The account the developer has there already, or a new one. */
export function withAccount(asked: DeveloperWanted, policies: readonly KubeObject[]): DeveloperGrant {
  const serviceAccount =
    asked.serviceAccount ?? firstAccount(asked, policies) ?? accountName(asked.developer, fiveLetters())
  return { ...asked, serviceAccount }
}

/** Was another account made for the developer, by a grant at the same time? The later one has to give way. */
export const comesSecond = (wanted: DeveloperGrant, policies: readonly KubeObject[]): boolean =>
  firstAccount(wanted, policies) !== wanted.serviceAccount

const firstAccount = ({ namespace, developer }: DeveloperWanted, policies: readonly KubeObject[]) =>
  [...policies]
    .sort(byAge)
    .map(grantOf)
    .find((one) => one?.namespace === namespace && one.developer === developer)?.serviceAccount

/** Versions tell apart what was made within a second; Kubernetes says that they may be compared. */
function byAge(one: KubeObject, other: KubeObject): number {
  const [seconds, versions] = [
    [one, other].map(({ metadata }) => Date.parse(metadata.creationTimestamp ?? '')),
    [one, other].map(({ metadata }) => Number(metadata.resourceVersion)),
  ]
  return Number(seconds[0]) - Number(seconds[1]) || Number(versions[0]) - Number(versions[1])
}

const LETTERS = 'bcdfghjklmnpqrstvwxz2456789'
const fiveLetters = (): string => Array.from({ length: 5 }, () => LETTERS[randomInt(LETTERS.length)]).join('')

/** A certificate names the account and not the person, so an account is one developer's, and no workload's. */
export function checkAccount({ namespace, serviceAccount, developer }: DeveloperGrant, grants: readonly Grant[]): void {
  const other = grants.find(
    (one) => one.namespace === namespace && one.serviceAccount === serviceAccount && one.developer !== developer,
  )
  if (other === undefined) return
  const whose = isDeveloper(other) ? other.developer : 'workloads, by a grant of theirs'
  throw conflictError('ACCOUNT_TAKEN', `service account ${namespace}/${serviceAccount} is for ${whose}`, {
    suggestions: ['leave --service-account out, to have one made'],
  })
}
