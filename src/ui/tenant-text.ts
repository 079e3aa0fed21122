import type { AddResult } from '../app/tenant/add.ts'
import type { TenantList } from '../app/tenant/list.ts'
import type { RemoveResult } from '../app/tenant/remove.ts'
import type { ShareResult } from '../app/tenant/share.ts'
import { table } from './table.ts'

/** Who may push and who may use what, for each tenant. */
export const addText = ({ tenants }: AddResult): string =>
  tenants
    .map(({ namespace, private: own, changed }) => {
      const who = own ? `its own pods alone use it` : 'everybody may use it'
      return `${namespace} and all below it belongs to namespace ${namespace}, and ${who}${changed ? '' : ' (nothing to change)'}.`
    })
    .join('\n')

export function listText({ tenants, shares, exempt }: TenantList): string {
  if (tenants.length === 0) return 'No tenants. Next: regctl tenant add NAMESPACE --private'
  const rows = tenants.map(({ namespace, private: own, granted }) => [
    namespace,
    own ? 'private' : 'public',
    granted === undefined ? 'by its grants' : (granted ?? 'every one'),
    shares
      .filter(({ repository }) => repository.split('/')[0] === namespace)
      .map((share) => `${share.repository} with ${share.namespace}`)
      .join(', '),
  ])
  return [
    table(['TENANT', 'ACCESS', 'PUSHED BY', 'SHARED'], rows),
    '',
    `Nothing is private from pods of: ${exempt.join(', ')}`,
  ].join('\n')
}

export const removeText = ({ removed, none, shares }: RemoveResult): string =>
  [
    ...none.map((name) => `${name} is no tenant (nothing to change).`),
    ...removed.map(
      (tenant) =>
        `${tenant.namespace} is no tenant any more${tenant.private ? ', and everybody may read its images again' : ''}.`,
    ),
    ...shares.map((share) => `The share of ${share.repository} with ${share.namespace} ended.`),
  ].join('\n')

export const shareText = ({ repository, namespace, changed }: ShareResult, what: string): string =>
  `${repository} and all below it ${what} ${namespace}${changed ? '' : ' (nothing to change)'}.`
