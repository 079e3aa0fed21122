/** How Skaffold names what it pushes (pkg/skaffold/docker/default_repo.go of 2.16.1), ported as it is, with its flaws. */

const GCP_PROJECT = '[a-z][a-z0-9-]{4,28}[a-z0-9]'
const DOMAIN_COMPONENT = '(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])'
const DOMAIN = `(?:${DOMAIN_COMPONENT}(?:\\.${DOMAIN_COMPONENT})*|\\[(?:[a-fA-F0-9:]+)\\])(?::[0-9]+)?`
const PREFIX = new RegExp(`^${DOMAIN}/${GCP_PROJECT}/?`)
const LONGEST = 255

export type ImageName = { readonly base: string; readonly tag?: string; readonly digest?: string }

export function imageName(image: string): ImageName {
  const [name = '', digest] = image.split('@')
  const colon = name.lastIndexOf(':')
  const tagged = colon > name.lastIndexOf('/')
  return {
    base: tagged ? name.slice(0, colon) : name,
    ...(tagged ? { tag: name.slice(colon + 1) } : {}),
    ...(digest === undefined ? {} : { digest }),
  }
}

/** The name, without tag, under which an artifact is pushed. */
export function pushedName(image: string, defaultRepo: string, multiLevel: boolean): string {
  const { base } = imageName(image.replace(/^ko:\/\//, ''))
  if (defaultRepo === '' || base.startsWith(defaultRepo)) return base
  const own = PREFIX.exec(base)?.[0] ?? ''
  const theirs = PREFIX.exec(defaultRepo)?.[0] ?? ''
  const levels = multiLevel || theirs.includes('gcr.io') || theirs.includes('-docker.pkg.dev')
  if (!levels) return `${defaultRepo}/${base.replaceAll(/[/._:@]/g, '_')}`.slice(0, LONGEST)
  return own === theirs ? `${defaultRepo}/${base.slice(own.length)}` : `${defaultRepo}/${base}`.slice(0, LONGEST)
}

/** Begins with the default repository as text and yet is another one, such as `localhost:50001/app`: Skaffold leaves it. */
export function onlyLooksLike(image: string, defaultRepo: string): boolean {
  const { base } = imageName(image)
  return defaultRepo !== '' && base.startsWith(defaultRepo) && base !== defaultRepo && base[defaultRepo.length] !== '/'
}

/** `host:port/…`, which below another repository is no valid name. */
export const hasPort = (image: string): boolean => /^[^/]+:\d+\//.test(image)

/** What a grant is about: the name without the registry. */
export function repositoryOf(name: string, registry: string): string | undefined {
  return name.startsWith(`${registry}/`) ? name.slice(registry.length + 1) : undefined
}

/** Skaffold's own, from KEP-1755 on: only there it asks the cluster for a registry. */
export const isKind = (context: string): boolean => context.startsWith('kind-') || context.endsWith('@kind')
export const isK3d = (context: string): boolean => context.startsWith('k3d-')
export const isLocalCluster = (context: string): boolean =>
  isKind(context) || isK3d(context) || ['minikube', 'docker-desktop', 'docker-for-desktop'].includes(context)
