import { shellWord } from '../shell-word.ts'
import type { ExternalGrant } from './grant.ts'

/** The command that revokes exactly this grant. */
export const revokeExternalCommand = ({ subject, repository, issuer, audience, exact }: ExternalGrant): string =>
  [
    `regctl revoke-external ${shellWord(subject)} ${repository}`,
    `--issuer ${shellWord(issuer)}`,
    `--audience ${shellWord(audience)}`,
    exact ? '--exact' : '--no-exact',
  ].join(' ')
