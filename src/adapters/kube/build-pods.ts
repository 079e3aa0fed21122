import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { RegctlError } from '../../errors.ts'
import type { BuildPods } from '../../ports.ts'
import type { Api } from './api.ts'
import { openStdin } from './attach.ts'

export class ClusterBuildPods implements BuildPods {
  readonly #api: Api

  constructor(api: Api) {
    this.#api = api
  }

  async send(namespace: string, pod: string, container: string, content: Readable, signal: AbortSignal): Promise<void> {
    // It may fail before anybody reads it.
    content.on('error', () => {})
    const { stdin, finished } = await this.#api.withCredentials((config) =>
      openStdin(config, namespace, pod, container, signal),
    )
    try {
      await pipeline(content, stdin, { signal })
      await finished
    } catch (error) {
      // What ended the one or the other says more than that it ended.
      throw [error, content.errored, stdin.errored].find((one) => one instanceof RegctlError) ?? error
    }
  }

  async follow(
    namespace: string,
    pod: string,
    container: string,
    from: number,
    tell: (chunk: Uint8Array) => void,
    signal: AbortSignal,
  ): Promise<void> {
    let skip = from
    const request = {
      method: 'GET',
      path: `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods/${encodeURIComponent(pod)}/log`,
      query: { container, follow: 'true' },
      about: `read the log of ${container} in pod ${namespace}/${pod}`,
    } as const
    for await (const chunk of this.#api.stream(request, signal)) {
      const rest = chunk.subarray(Math.min(skip, chunk.length))
      skip -= chunk.length - rest.length
      if (rest.length > 0) tell(rest)
    }
  }
}
