import { Args, Flags } from '@oclif/core'
import type { ExternalGrant } from '../domain/external/grant.ts'
import { type Keys, keySet } from '../domain/external/keys.ts'
import { audienceName, issuerName, isWebAddress, subjectName } from '../domain/external/names.ts'
import { repositoryName } from '../domain/repository.ts'
import { preconditionError } from '../errors.ts'
import type { Files } from '../ports.ts'

export const subjectArg = Args.string({
  description: 'Subject of the token, to the letter, such as repo:ORG/REPO:ref:refs/heads/main.',
  required: true,
  parse: async (text) => subjectName(text),
})

export const externalRepositoryArg = {
  description: 'Repository it may push to, such as example: itself and all below it.',
  parse: async (text: string) => repositoryName(text),
}

const issuer = {
  summary: 'Issuer of the token, as its iss says it.',
  helpValue: 'URL',
  parse: async (text: string) => issuerName(text),
}

const audience = {
  summary: 'Audience the token is for, one that is only for this registry.',
  helpValue: 'NAME',
  parse: async (text: string) => audienceName(text),
}

export const issuerFlag = Flags.string(issuer)
export const requiredIssuerFlag = Flags.string({ ...issuer, required: true })
export const audienceFlag = Flags.string(audience)
export const requiredAudienceFlag = Flags.string({ ...audience, required: true })

export const jwksFlag = Flags.string({
  summary: "The issuer's public keys, or where istiod gets them; by the issuer's own discovery where not given.",
  helpValue: 'FILE|URL',
})

/** What `--jwks` says of the keys; undefined leaves them as they are. */
export async function keysFrom(files: Files, jwks: string | undefined): Promise<Keys | undefined> {
  if (jwks === undefined) return undefined
  if (isWebAddress(jwks)) return { jwksUri: jwks }
  const text = await files.read(files.resolve(jwks))
  if (text === undefined)
    throw preconditionError('NO_JWKS', `there is no file "${jwks}"`, { suggestions: ['--jwks FILE', '--jwks URL'] })
  return { jwks: keySet(text, jwks) }
}

/** Whom a command line of `regctl grant-external` means. */
export const wantedExternal = (
  args: { readonly subject: string; readonly repository: string },
  flags: { readonly issuer: string; readonly audience: string; readonly exact: boolean },
): ExternalGrant => ({
  issuer: flags.issuer,
  subject: args.subject,
  audience: flags.audience,
  repository: args.repository,
  exact: flags.exact,
})
