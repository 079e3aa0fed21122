import {
  type BuilderNamespace,
  type ClientNote,
  clientNotes,
  type Destination,
  variables,
} from '../../domain/clients/environment.ts'
import { type Grant, isDeveloper } from '../../domain/policy/grant.ts'
import { isWithin } from '../../domain/repository.ts'
import { RegctlError, usageError } from '../../errors.ts'
import type { Kube } from '../../ports.ts'
import { requireInstalled } from '../cluster/installed.ts'
import { readGrants } from '../grant/grants.ts'
import { admitted } from '../skaffold/cluster.ts'

export type ClientEnvironment = {
  readonly variables: Readonly<Record<string, string>>
  readonly notes: readonly ClientNote[]
}

/** What each client needs, for this cluster's port and the repository that is granted. */
export async function clientEnvironment(
  kube: Kube,
  registryNamespace: string,
  wanted: string | undefined,
): Promise<ClientEnvironment> {
  const { at } = await requireInstalled(kube, registryNamespace)
  const writing = (await readGrants(kube, at)).filter((grant) => !grant.readOnly)
  const repository = wanted ?? repositoryOf(writing)
  const to: Destination = { port: at.port, ...(repository === undefined ? {} : { repository }) }
  const builds = writing.filter((grant) => !isDeveloper(grant))
  const builders = await builderNamespaces(kube, builds, repository)
  return { variables: variables(to), notes: clientNotes(to, builders) }
}

/** Images of all names go below it, so a grant of one exact name is none. */
function repositoryOf(grants: readonly Grant[]): string | undefined {
  const repositories = [...new Set(grants.filter(({ exact }) => !exact).map((grant) => grant.repository))]
  if (repositories.length <= 1) return repositories[0]
  throw usageError('WHICH_REPOSITORY', `${repositories.length} repositories are granted; say which`, {
    suggestions: repositories.map((one) => `regctl env --repository ${one}`),
  })
}

async function builderNamespaces(
  kube: Kube,
  grants: readonly Grant[],
  repository: string | undefined,
): Promise<readonly BuilderNamespace[]> {
  const fitting = grants.filter((grant) => repository === undefined || isWithin(repository, grant.repository))
  const namespaces = [...new Set(fitting.map(({ namespace }) => namespace))]
  const { major, minor } = await kube.version()
  const told = await Promise.all(namespaces.map((namespace) => proxyIn(kube, namespace)))
  // Before 1.29 a kubelet does not run native sidecars.
  const classic = major > 1 || minor >= 29 ? 'annotate' : 'classic'
  return namespaces.flatMap((namespace, index) => {
    const proxy = told[index]
    return proxy === undefined ? [] : [{ namespace, proxy: proxy === 'classic' ? classic : 'native' } as const]
  })
}

/** What a dry run of a pod says; undefined where it is not allowed, or there is no proxy. */
async function proxyIn(kube: Kube, namespace: string): Promise<'native' | 'classic' | undefined> {
  try {
    const { proxy } = await admitted(kube, { namespace, labels: {}, annotations: {} })
    return proxy === 'none' ? undefined : proxy
  } catch (error) {
    if (error instanceof RegctlError) return undefined
    throw error
  }
}
