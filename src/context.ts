import type { Ports } from './ports.ts'

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
  const [{ shippedAssets }, { systemClock }, { localFiles }, { loopback }, { reporter }] = await Promise.all([
    import('./adapters/assets.ts'),
    import('./adapters/clock.ts'),
    import('./adapters/files.ts'),
    import('./adapters/loopback.ts'),
    import('./ui/tasks.ts'),
  ])
  const files = localFiles()
  return { assets: shippedAssets(root), clock: systemClock, files, loopback, report: reporter({ quiet }), signal }
}

export async function connect(options: ConnectOptions): Promise<Ports> {
  const [local, { openCluster }] = await Promise.all([localPorts(options), import('./adapters/kube/client.ts')])
  return { ...local, ...openCluster({ ...options, clock: local.clock }) }
}
