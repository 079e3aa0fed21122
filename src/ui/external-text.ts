import type { ExternalGrantResult } from '../app/external/grant.ts'
import type { ExternalGrant } from '../domain/external/grant.ts'
import { table } from './table.ts'

/** What a grant to somebody outside came to, and how it is used. */
export function externalText({ grant, hosts, changed }: ExternalGrantResult): string {
  const { subject, repository, exact } = grant
  return [
    `${subject} may push to ${repository}${exact ? '' : ' and all below it'}${changed ? '' : ' (nothing to change)'}.`,
    `By ${hosts.map((host) => `${host}/${repository}`).join(', ')}, with the token as the registry token of the client (docs/external.md).`,
  ].join('\n')
}

/** The grants to those outside, as rows of a table. */
export const externalTable = (grants: readonly ExternalGrant[]): string =>
  table(
    ['SUBJECT', 'ISSUER', 'AUDIENCE', 'REPOSITORY'],
    grants.map(({ subject, issuer, audience, repository, exact }) => [
      subject,
      issuer,
      audience,
      exact ? repository : `${repository} and below`,
    ]),
  )
