import type { GrantResult } from '../app/grant/grant.ts'
import type { Grant } from '../domain/policy/grant.ts'

/** What a grant came to, and for a developer what to run on the workstation. */
export function grantText({ grant, changed, addedLabels }: GrantResult): string {
  const { namespace, repository, serviceAccount, developer } = grant
  const what = `${grant.readOnly ? 'pull' : 'push to'} ${repository}${grant.exact ? '' : ' and all below it'}`
  const who = developer ?? `${serviceAccount ?? 'Every service account'} of ${namespace}`
  return [
    ...Object.entries(addedLabels).map(
      ([key, value]) => `Labelled namespace ${namespace} with ${key}=${value}; the last revoke takes it off.`,
    ),
    `${who} may ${what}${changed ? '' : ' (nothing to change)'}.`,
    ...(developer === undefined
      ? []
      : [`On the workstation: regctl dev-forward --mode mesh --identity ${namespace}/${serviceAccount}`]),
  ].join('\n')
}

/** Who a grant is for, in a few words. */
export const granteeText = ({ serviceAccount, developer }: Grant): string =>
  developer === undefined ? (serviceAccount ?? 'every one') : `${serviceAccount} (${developer})`
