import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { type Client, manifest } from '../clients.ts'

type Pull = { readonly at: number; readonly status: string }

/** Time in which one pull after the other got no image. */
export type Outage = { readonly from: number; readonly to: number; readonly statuses: readonly string[] }

/** Pulls one image again and again as the kubelet of a node would, each time by a new connection. */
export class Pulls implements AsyncDisposable {
  readonly #pulls: Pull[] = []
  readonly #process
  readonly #closed

  constructor({ namespace, name }: Client, repository: string, tag: string) {
    const { url, headers = [] } = manifest(repository, tag)
    const curl = `curl -s -m 2 -o /dev/null -w '%{http_code}\\n' ${headers.map((header) => `-H '${header}'`).join(' ')} ${url}`
    const argv = ['exec', '-n', namespace, name, '-c', 'main', '--', 'sh', '-c', `while :; do ${curl}; sleep 0.1; done`]
    this.#process = spawn('kubectl', argv, { stdio: ['ignore', 'pipe', 'ignore'] })
    this.#closed = once(this.#process, 'close')
    createInterface(this.#process.stdout).on('line', (status) => void this.#pulls.push({ at: Date.now(), status }))
  }

  get served(): number {
    return this.#pulls.filter(({ status }) => status === '200').length
  }

  /** From the first pull that failed to the next that did not. */
  get outages(): readonly Outage[] {
    const found: Outage[] = []
    let open: { from: number; statuses: string[] } | undefined
    for (const { at, status } of this.#pulls) {
      if (status !== '200') {
        open ??= { from: at, statuses: [] }
        open.statuses.push(status)
      } else if (open !== undefined) {
        found.push({ ...open, to: at })
        open = undefined
      }
    }
    return open === undefined ? found : [...found, { ...open, to: Number.POSITIVE_INFINITY }]
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.kill()
    await this.#closed
  }
}
