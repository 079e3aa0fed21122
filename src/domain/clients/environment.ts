import { NATIVE_SIDECAR } from '../skaffold/kaniko.ts'

/** What one client needs besides the variables. */
export type ClientNote = {
  readonly client: string
  readonly needs: string
  /** False where it is known from its documentation alone. */
  readonly ran: boolean
}

/** Where images go: the registry, and a repository in it where there is one for all. */
export type Destination = { readonly port: number; readonly repository?: string }

/** How the pods of a granted namespace get their proxy. */
export type BuilderNamespace = {
  readonly namespace: string
  readonly proxy: 'native' | 'annotate' | 'classic'
}

const base = ({ port, repository }: Destination): string =>
  `localhost:${port}${repository === undefined ? '' : `/${repository}`}`

export const variables = (to: Destination): Readonly<Record<string, string>> => ({
  REGCTL_REGISTRY: `localhost:${to.port}`,
  KO_DOCKER_REPO: base(to),
  SKAFFOLD_DEFAULT_REPO: base(to),
  // For Jib in Skaffold; the others take localhost as plain HTTP by themselves.
  SKAFFOLD_INSECURE_REGISTRY: `localhost:${to.port}`,
})

export function clientNotes(to: Destination, builders: readonly BuilderNamespace[]): readonly ClientNote[] {
  const { port, repository } = to
  const ran = true
  const portFlag = port === 5000 ? '' : ` --port ${port}`
  return [
    { client: 'Skaffold', needs: 'regctl skaffold-init, once per project', ran },
    { client: 'docker, crane, ko', needs: 'no setting', ran },
    { client: 'podman, buildah', needs: `a file, once: regctl config podman${portFlag}`, ran },
    { client: 'BuildKit', needs: 'no setting where it runs on the network of this machine or of a granted pod', ran },
    {
      client: 'buildx',
      needs:
        "no setting with the docker daemon's builder; --driver kubernetes --driver-opt namespace=NS, of a granted one",
      ran,
    },
    { client: 'buildx, docker-container driver', needs: 'docker buildx create --driver-opt network=host', ran: false },
    {
      client: 'Jib',
      needs: `-Djib.allowInsecureRegistries=true -Djib.to.image=${base(to)}/NAME`,
      ran: false,
    },
    {
      client: 'Tilt',
      needs: `default_registry('${base(to)}') in the Tiltfile, or: regctl up --publish-local-registry`,
      ran: false,
    },
    {
      client: 'Garden',
      needs: `deploymentRegistry: {hostname: localhost, port: ${port}, namespace: ${repository ?? 'REPOSITORY'}, insecure: true}`,
      ran: false,
    },
    ...builders.flatMap(builderNote),
  ]
}

function builderNote({ namespace, proxy }: BuilderNamespace): readonly ClientNote[] {
  const [[key, value] = []] = Object.entries(NATIVE_SIDECAR)
  const client = `Jobs in ${namespace}`
  if (proxy === 'native') return []
  if (proxy === 'annotate')
    return [{ client, needs: `the pod annotation ${key}: "${value}", or they never end`, ran: true }]
  return [{ client, needs: 'regctl build: nothing else ends their proxy on this version of Kubernetes', ran: true }]
}
