/** Where a Docker daemon runs, seen from this machine. */
export type DockerHost =
  | { readonly kind: 'local' }
  | { readonly kind: 'vm'; readonly product: Product }
  | { readonly kind: 'remote'; readonly host: string }

export type Product =
  | 'Docker Desktop'
  | 'colima'
  | 'Rancher Desktop'
  | 'podman machine'
  | 'OrbStack'
  | 'Lima'
  | 'a virtual machine'

type Version = {
  readonly Client?: { readonly Os?: string; readonly Context?: string }
  readonly Server?: {
    readonly Os?: string
    readonly Platform?: { readonly Name?: string }
    readonly Components?: readonly { readonly Name?: string }[]
  } | null
}

/** By what the socket's path says; the products name their directories after themselves. */
const SOCKETS: readonly (readonly [RegExp, Product])[] = [
  [/\/\.docker\/(run|desktop)\/|docker_engine|dockerDesktop/, 'Docker Desktop'],
  [/\/\.colima\//, 'colima'],
  [/\/\.config\/colima\//, 'colima'],
  [/\/\.rd\/|rancher-desktop/, 'Rancher Desktop'],
  [/podman[/-]machine|podman\.sock/, 'podman machine'],
  [/\/\.orbstack\//, 'OrbStack'],
  [/\/\.lima\//, 'Lima'],
]

/**
 * From `docker version --format json` and the endpoint of `docker context inspect` (or DOCKER_HOST). Undefined where no
 * daemon answers. The daemon is what dials the registry, and in a virtual machine its localhost is another one.
 */
export function dockerHost(version: Version, endpoint: string, platform: string): DockerHost | undefined {
  const { Client: client, Server: server } = version
  if (server === undefined || server === null) return undefined
  const remote = /^(?:tcp|ssh|https?):\/\/(?:[^@/]*@)?(\[[^\]]+\]|[^/:]+)/.exec(endpoint)?.[1]
  if (remote !== undefined && !['localhost', '127.0.0.1', '[::1]'].includes(remote))
    return { kind: 'remote', host: remote }
  if (server.Platform?.Name?.startsWith('Docker Desktop') === true) return { kind: 'vm', product: 'Docker Desktop' }
  // On Linux podman's socket is the service itself and not a machine's.
  const apart = platform !== 'linux' || (client?.Os ?? 'linux') !== (server.Os ?? 'linux')
  const byPath = SOCKETS.find(([path]) => path.test(endpoint))?.[1]
  const podman = (server.Components ?? []).some(({ Name }) => Name === 'Podman Engine')
  if (podman)
    return apart || endpoint.includes('machine') ? { kind: 'vm', product: 'podman machine' } : { kind: 'local' }
  if (byPath !== undefined && byPath !== 'podman machine') return { kind: 'vm', product: byPath }
  return apart ? { kind: 'vm', product: 'a virtual machine' } : { kind: 'local' }
}

/** The name by which each product's machine reaches this one's loopback. */
const HOST_NAME: Readonly<Record<Product, string>> = {
  'Docker Desktop': 'host.docker.internal',
  colima: 'host.lima.internal',
  'Rancher Desktop': 'host.lima.internal',
  'podman machine': 'host.containers.internal',
  OrbStack: 'host.docker.internal',
  Lima: 'host.lima.internal',
  'a virtual machine': 'host.docker.internal',
}

/** What a probe through the Engine API said about `localhost:PORT` as the daemon sees it. */
export type Probe = 'reached' | 'refused' | 'unknown'

/** `GET /distribution/NAME/json` makes the daemon ask the registry: any answer of a registry proves the way. */
export function probeResult(status: number, body: string): Probe {
  if (status === 200) return 'reached'
  if (/manifest unknown|name unknown|not found: |repository name not known|NAME_UNKNOWN|MANIFEST_UNKNOWN/i.test(body))
    return 'reached'
  if (/connection refused|no route to host|i\/o timeout|EOF|connection reset|server gave HTTP response/i.test(body))
    return 'refused'
  return 'unknown'
}

/** What to tell, and the command that mends it; undefined where the daemon can use the forward. */
export function dockerAdvice(
  host: DockerHost,
  probe: Probe,
  port: number,
): { readonly why: string; readonly fix: string } | undefined {
  if (probe === 'reached') return undefined
  if (host.kind === 'local') {
    if (probe === 'unknown') return undefined
    const why = `the Docker daemon does not reach localhost:${port}; a rootless one has a network of its own`
    return { why, fix: 'crane and other clients outside of the daemon can push' }
  }
  if (host.kind === 'remote') {
    const why = `the Docker daemon runs on ${host.host}, whose localhost:${port} is not this machine's`
    return { why, fix: `run regctl dev-forward on ${host.host}` }
  }
  // The container has the machine's port, so a push inside finds it; its other end is a second forward on this side.
  const other = port + 1
  const run = 'docker run -d --rm --name regctl-bridge --network host docker.io/alpine/socat'
  const sure = probe === 'refused' ? 'does not reach' : 'may not reach'
  return {
    why: `the Docker daemon runs in ${host.product} and ${sure} localhost:${port} of this machine`,
    fix: `regctl dev-forward --port ${other} --detach && ${run} TCP-LISTEN:${port},bind=127.0.0.1,fork,reuseaddr TCP:${HOST_NAME[host.product]}:${other}`,
  }
}
