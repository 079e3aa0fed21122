import { usageError } from '../../errors.ts'
import { repositoryName } from '../repository.ts'

/** A repository of the registry and a tag in it. */
export type ImageName = { readonly repository: string; readonly tag: string }

/** https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-manifests */
const TAG = /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/

/**
 * `example/app:1`, also with the registry in front as other tools have it.
 * @throws usage error INVALID_IMAGE or INVALID_REPOSITORY
 */
export function imageName(text: string, port: number): ImageName {
  const refuse = (why: string, suggestions: readonly string[] = []): never => {
    throw usageError('INVALID_IMAGE', `image "${text}" ${why}`, { suggestions })
  }
  if (text.includes('@')) refuse('has a digest, which only the build can give', [`name it ${text.split('@')[0]}`])
  const bare = withoutRegistry(text, port)
  if (bare === undefined)
    return refuse(`is of another registry than localhost:${port}`, [
      `name it ${text.slice(text.indexOf('/') + 1)}, or set SKAFFOLD_DEFAULT_REPO=localhost:${port}/REPOSITORY`,
    ])
  const colon = bare.indexOf(':')
  const [repository, tag] = colon < 0 ? [bare, 'latest'] : [bare.slice(0, colon), bare.slice(colon + 1)]
  if (!TAG.test(tag)) refuse(`has no valid tag: "${tag}"`)
  return { repository: repositoryName(repository), tag }
}

/** Undefined where the first component is another registry: it has a dot or a port, as docker decides. */
function withoutRegistry(text: string, port: number): string | undefined {
  const slash = text.indexOf('/')
  const first = text.slice(0, Math.max(slash, 0))
  if (first === `localhost:${port}` || first === `127.0.0.1:${port}`) return text.slice(slash + 1)
  return /[.:]/.test(first) || first === 'localhost' ? undefined : text
}

export const reference = ({ repository, tag }: ImageName, port: number): string =>
  `localhost:${port}/${repository}:${tag}`

/** The command that lets a namespace push it. */
export const grantCommand = (namespace: string, repository: string, serviceAccount?: string): string =>
  `regctl grant ${namespace} ${repository.split('/')[0]}${serviceAccount === undefined ? '' : ` --service-account ${serviceAccount}`}`
