import { usageError } from '../../errors.ts'

const LONGEST = 1000

/** What istiod and Envoy compare as it is; a star at either end would be a pattern to Istio. */
function plain(code: string, what: string, text: string, example: string): string {
  const refuse = (why: string): never => {
    throw usageError(code, `${what} ${JSON.stringify(text)} ${why}`, { suggestions: [example] })
  }
  if (text === '') refuse('is empty')
  if (text.length > LONGEST) refuse(`is longer than ${LONGEST} characters`)
  if (/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(text) || text.trim() !== text)
    refuse('has a character that no token has there')
  if (text.includes('*')) refuse('has a star: it is compared as it is, and patterns are not taken')
  return text
}

const GITHUB = 'repo:ORG/REPO:ref:refs/heads/main'

/** @throws usage error INVALID_SUBJECT */
export const subjectName = (text: string): string =>
  plain('INVALID_SUBJECT', 'subject', text, `regctl grant-external ${GITHUB} REPOSITORY --issuer URL --audience NAME`)

/** @throws usage error INVALID_AUDIENCE */
export const audienceName = (text: string): string =>
  plain('INVALID_AUDIENCE', 'audience', text, '--audience registry.example.org')

/**
 * An issuer is compared with the token's `iss` to the letter, and is where its keys are asked for.
 * @throws usage error INVALID_ISSUER
 */
export function issuerName(text: string): string {
  const example = '--issuer https://token.actions.githubusercontent.com'
  plain('INVALID_ISSUER', 'issuer', text, example)
  if (isWebAddress(text)) return text
  throw usageError('INVALID_ISSUER', `issuer "${text}" is not an address such as https://issuer.example.org`, {
    suggestions: [example],
  })
}

/** Of http too: what it is worth is said where it is used. */
export function isWebAddress(text: string): boolean {
  if (!/^https?:\/\/[^/]/.test(text)) return false
  try {
    const { username, password, hash, search } = new URL(text)
    return username === '' && password === '' && hash === '' && search === ''
  } catch {
    return false
  }
}
