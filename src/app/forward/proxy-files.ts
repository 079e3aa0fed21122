import type { Json } from '../../domain/forward/envoy.ts'
import type { Issued, MeshTarget } from '../../domain/forward/identity.ts'
import { type LocalProxy, localProxyBootstrap } from '../../domain/forward/local-proxy.ts'
import { clusterFile } from '../../domain/forward/local-proxy-clusters.ts'
import { ADMIN_SOCKET, BOOTSTRAP_FILE, REPORT_SOCKET } from '../../domain/forward/local-proxy-files.ts'
import { NO_SECRETS, secretFiles } from '../../domain/forward/local-proxy-secrets.ts'
import type { Place } from '../../domain/forward/place.ts'
import type { Containers, MountedDirectory } from '../../ports/forward.ts'

type Target = Pick<MeshTarget, 'sni' | 'principal'>

const CONFIG = 'config'
const STATE = 'state'

/** Nobody listens there, so that requests wait for the gateway to be found. */
const NOWHERE: Place = { host: '127.0.0.1', port: 1 }

/** What Envoy reads, and takes up while it runs. */
export class ProxyFiles {
  readonly #directory: MountedDirectory
  readonly #target: Target
  #issued: Issued | undefined
  #place = NOWHERE

  static async open(
    containers: Containers,
    proxy: LocalProxy,
    target: Target,
    report: () => Promise<unknown>,
  ): Promise<ProxyFiles> {
    const directory = await containers.directory(CONFIG, STATE)
    const files = new ProxyFiles(directory, target)
    await files.#write({
      [BOOTSTRAP_FILE]: localProxyBootstrap(proxy),
      ...NO_SECRETS,
      ...clusterFile({ ...target, ...NOWHERE }),
    })
    await directory.answer(`${CONFIG}/${REPORT_SOCKET}`, report)
    return files
  }

  private constructor(directory: MountedDirectory, target: Target) {
    this.#directory = directory
    this.#target = target
  }

  get directories(): { readonly config: string; readonly state: string } {
    const { path } = this.#directory
    return { config: `${path}/${CONFIG}`, state: `${path}/${STATE}` }
  }

  get adminSocket(): string {
    return `${this.directories.state}/${ADMIN_SOCKET}`
  }

  async become(issued: Issued): Promise<void> {
    if (issued === this.#issued) return
    await this.#write(secretFiles(issued))
    this.#issued = issued
  }

  async leadTo(place: Place): Promise<void> {
    if (place.host === this.#place.host && place.port === this.#place.port) return
    await this.#write(clusterFile({ ...this.#target, ...place }))
    this.#place = place
  }

  remove(): Promise<void> {
    return this.#directory.remove()
  }

  #write(files: Readonly<Record<string, Json>>): Promise<void> {
    const texts = Object.entries(files).map(([name, content]) => [`${CONFIG}/${name}`, JSON.stringify(content)])
    return this.#directory.write(Object.fromEntries(texts))
  }
}
