import type { Daemons, ForwardPorts, Listeners } from './ports/forward.ts'
import type { BuildPorts, Clock, ExposePorts, Files, OpenPortPorts, Ports, SkaffoldPorts } from './ports.ts'

export type LocalOptions = {
  /** The package's directory, oclif's `config.root`. */
  readonly root: string
  readonly quiet: boolean
  readonly signal: AbortSignal
}

export type ConnectOptions = LocalOptions & { readonly context?: string; readonly kubeconfig?: string }

export type LocalPorts = Omit<Ports, 'kube' | 'pods'>

/** What needs no cluster. The imports are dynamic so that `--help` and `--version` load none of it. */
export async function localPorts({ root, quiet, signal }: LocalOptions): Promise<LocalPorts> {
  const [{ shippedAssets }, { systemClock }, { reporter }] = await Promise.all([
    import('./adapters/assets.ts'),
    import('./adapters/clock.ts'),
    import('./ui/tasks.ts'),
  ])
  return { assets: shippedAssets(root), clock: systemClock, report: reporter({ quiet }), signal }
}

export async function connect(options: ConnectOptions): Promise<Ports> {
  const [local, { openCluster }] = await Promise.all([localPorts(options), import('./adapters/kube/client.ts')])
  return { ...local, ...openCluster({ ...options, clock: local.clock }) }
}

export async function connectSkaffold(options: ConnectOptions): Promise<SkaffoldPorts> {
  const [ports, { localFiles }, { localRegistry }] = await Promise.all([
    connect(options),
    import('./adapters/files.ts'),
    import('./adapters/local-registry.ts'),
  ])
  return { ...ports, files: localFiles(), localRegistry }
}

export async function connectFiles(): Promise<Files> {
  const { localFiles } = await import('./adapters/files.ts')
  return localFiles()
}

export async function connectExpose(options: ConnectOptions): Promise<ExposePorts> {
  const [ports, { mesh }] = await Promise.all([connect(options), import('./adapters/mesh/mesh.ts')])
  return { ...ports, dial: mesh.dial }
}

export async function connectOpenPort(options: ConnectOptions): Promise<OpenPortPorts> {
  const [ports, { openCluster }] = await Promise.all([connect(options), import('./adapters/kube/client.ts')])
  // What is to be cleaned up is to be so after an interrupt, which ends every request of the other connection.
  const { kube: cleanup } = openCluster({ ...options, clock: ports.clock, signal: new AbortController().signal })
  return { ...ports, cleanup }
}

export async function connectBuild(options: ConnectOptions): Promise<BuildPorts> {
  const [ports, { buildContexts }, { openBuildPods }] = await Promise.all([
    connectOpenPort(options),
    import('./adapters/build-contexts.ts'),
    import('./adapters/kube/client.ts'),
  ])
  return {
    ...ports,
    contexts: buildContexts,
    buildPods: openBuildPods({ ...options, clock: ports.clock }),
    log: (chunk) => void process.stderr.write(chunk),
  }
}

export type BackgroundPorts = { readonly daemons: Daemons; readonly listeners: Listeners; readonly clock: Clock }

/** What looks after forwards that run; no cluster is asked. */
export async function backgroundPorts(): Promise<BackgroundPorts> {
  const [{ daemons }, { listeners }, { systemClock }] = await Promise.all([
    import('./adapters/forward/daemons.ts'),
    import('./adapters/forward/listeners.ts'),
    import('./adapters/clock.ts'),
  ])
  return { daemons, listeners, clock: systemClock }
}

export async function connectForward(
  options: ConnectOptions,
): Promise<ForwardPorts & BackgroundPorts & { readonly log?: string }> {
  const [
    ports,
    background,
    { ClusterPortForwards },
    { ClusterAccounts },
    { mesh },
    { programs },
    { containers },
    { LOG_VARIABLE },
  ] = await Promise.all([
    connect(options),
    backgroundPorts(),
    import('./adapters/kube/port-forwards.ts'),
    import('./adapters/kube/accounts.ts'),
    import('./adapters/mesh/mesh.ts'),
    import('./adapters/forward/programs.ts'),
    import('./adapters/forward/containers.ts'),
    import('./adapters/forward/daemons.ts'),
  ])
  const log = process.env[LOG_VARIABLE]
  const cluster = { ...options, clock: ports.clock }
  const [forwards, accounts] = [new ClusterPortForwards(cluster), new ClusterAccounts(cluster)]
  return {
    ...ports,
    ...background,
    forwards,
    accounts,
    mesh,
    programs,
    containers,
    ...(log === undefined ? {} : { log }),
  }
}
