import { PassThrough, Writable } from 'node:stream'
import { Exec, type KubeConfig, type V1Status } from '@kubernetes/client-node'
import { WebSocketHandler } from '@kubernetes/client-node/dist/web-socket-handler.js'
import { clusterError, RegctlError } from '../../errors.ts'
import type { ExecResult, HttpResponse, Pods } from '../../ports.ts'
import type { Api } from './api.ts'
import { requestOver } from './http-over-stream.ts'
import { openPort } from './port-forward.ts'
import { type Socket, socketError, untilClosed } from './web-socket.ts'

export class ClusterPods implements Pods {
  readonly #api: Api

  constructor(api: Api) {
    this.#api = api
  }

  async exec(
    namespace: string,
    pod: string,
    container: string,
    argv: readonly string[],
    signal?: AbortSignal,
  ): Promise<ExecResult> {
    signal?.throwIfAborted()
    const about = `run "${argv[0]}" in pod ${namespace}/${pod}`
    const [stdout, stderr] = [new Capture(), new Capture()]
    let status: V1Status | undefined
    let socket: Socket | undefined
    const idle = new PassThrough()
    // By default client-node 2.0.1 ends our own stdout when the server closes a stream.
    const open = (config: KubeConfig): Promise<Socket> =>
      new Exec(config, new WebSocketHandler(config, undefined, { stdin: idle, stdout, stderr }))
        .exec(namespace, pod, container, [...argv], stdout, stderr, null, false, (result) => {
          status = result
          // The status comes last. client-node closes politely and would wait half a minute for a server that does not answer.
          socket?.terminate()
        })
        .catch((cause: unknown) => {
          throw socketError(cause, about, this.#api.target)
        })
    const opened = await this.#api.withCredentials(open)
    socket = opened
    if (status !== undefined) opened.terminate()
    else await untilClosed(opened, signal)
    const exitCode = exitCodeOf(status)
    if (exitCode === undefined) {
      throw clusterError('EXEC_FAILED', `cannot ${about}: ${status?.message ?? 'the connection closed early'}`)
    }
    return { stdout: stdout.text, stderr: stderr.text, exitCode }
  }

  async logs(
    namespace: string,
    pod: string,
    container: string,
    options: { readonly tailLines: number; readonly previous?: boolean },
  ): Promise<string> {
    const { text } = await this.#api.request({
      method: 'GET',
      path: `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods/${encodeURIComponent(pod)}/log`,
      query: {
        container,
        tailLines: String(options.tailLines),
        ...(options.previous === true ? { previous: 'true' } : {}),
      },
      about: `read the log of ${container} in pod ${namespace}/${pod}`,
    })
    return text
  }

  async request(
    namespace: string,
    pod: string,
    port: number,
    request: { readonly method: string; readonly path: string; readonly headers?: Readonly<Record<string, string>> },
    signal?: AbortSignal,
  ): Promise<HttpResponse> {
    const about = `reach port ${port} of pod ${namespace}/${pod}`
    const limit = AbortSignal.any([AbortSignal.timeout(30_000), ...(signal === undefined ? [] : [signal])])
    try {
      const stream = await this.#api.withCredentials((config) => openPort(config, namespace, pod, port, limit))
      try {
        return await requestOver(stream, { ...request, host: `localhost:${port}` }, limit)
      } finally {
        stream.destroy()
      }
    } catch (cause) {
      signal?.throwIfAborted()
      if (cause instanceof RegctlError) throw cause
      const why = cause instanceof Error ? cause.message : String(cause)
      throw clusterError('FORWARD_FAILED', `cannot ${about}: ${why}`, { cause })
    }
  }
}

/** `undefined` when the command did not run at all. */
function exitCodeOf(status: V1Status | undefined): number | undefined {
  if (status?.status === 'Success') return 0
  const code = status?.details?.causes?.find(({ reason }) => reason === 'ExitCode')?.message
  return code === undefined ? undefined : Number(code)
}

class Capture extends Writable {
  readonly #chunks: Buffer[] = []

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.#chunks.push(chunk)
    done()
  }

  get text(): string {
    return Buffer.concat(this.#chunks).toString('utf8')
  }
}
