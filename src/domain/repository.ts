import { usageError } from '../errors.ts'

/** Path components the registry's own routes use; a repository with one of them is ambiguous to its router. */
const RESERVED = new Set(['blobs', 'manifests', 'tags', 'uploads', 'referrers', '_catalog'])

/** https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-manifests, one component. */
const COMPONENT = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/

/** Envoy refuses a path template above 256 characters and then freezes every policy; `/v2/…/blobs/uploads/{*}` takes 24. */
const LONGEST = 200

/**
 * Checks a repository name as `regctl grant` takes it, such as `example` or `team/app`.
 * @throws usage error INVALID_REPOSITORY, which says what is wrong with the name
 */
export function repositoryName(text: string): string {
  const refuse = (why: string, suggestions: readonly string[] = []): never => {
    throw usageError('INVALID_REPOSITORY', `repository "${text}" is not a valid name: ${why}`, { suggestions })
  }
  if (text === '') refuse('it is empty')
  if (text.length > LONGEST) refuse(`it has ${text.length} characters, at most ${LONGEST} fit into a policy`)
  if (/^(localhost|127\.0\.0\.1|\[::1\])(:\d+)?\//.test(text))
    refuse('leave the registry out', [`name it ${text.slice(text.indexOf('/') + 1)}`])
  if (/[A-Z]/.test(text)) refuse('upper case is not allowed', [`name it ${text.toLowerCase()}`])
  if (/[@:]/.test(text)) refuse('a grant names a repository, without tag or digest')
  for (const component of text.split('/')) {
    if (component === '') refuse('it has an empty path component')
    if (RESERVED.has(component)) refuse(`"${component}" is reserved for the registry's own paths`)
    if (!COMPONENT.test(component))
      refuse(`path component "${component}" must be a-z and 0-9, joined by one of . _ __ or -`)
  }
  return text
}

/** Is `inner` the repository `outer` or one below it? `example2` is not below `example`. */
export function isWithin(inner: string, outer: string): boolean {
  return inner === outer || inner.startsWith(`${outer}/`)
}
