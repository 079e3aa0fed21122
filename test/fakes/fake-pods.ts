import { clusterError } from '../../src/errors.ts'
import type { ExecResult, HttpResponse, Pods } from '../../src/ports.ts'

export type Asked = {
  readonly how: 'exec' | 'logs' | 'request'
  readonly pod: string
  /** The container, or the port of a request. */
  readonly at: string | number
  /** The command, method and path, or how much of the log. */
  readonly what: string
  readonly host?: string
}

/** What a script answers: text is success, a number an HTTP status or an exit code, an Error is thrown. */
export type Answer = string | number | ExecResult | HttpResponse | Error | undefined

/** Answers by scripts, the last one first; what no script knows is refused as by an API server that knows no such pod. */
export class FakePods implements Pods {
  readonly asked: Asked[] = []
  readonly #scripts: ((asked: Asked) => Answer)[] = []

  /** Returns what takes the script away again. */
  script(answer: (asked: Asked) => Answer): () => void {
    this.#scripts.unshift(answer)
    return () => void this.#scripts.splice(this.#scripts.indexOf(answer), 1)
  }

  async exec(
    namespace: string,
    pod: string,
    container: string,
    argv: readonly string[],
    signal?: AbortSignal,
  ): Promise<ExecResult> {
    signal?.throwIfAborted()
    const answer = this.#answer({ how: 'exec', pod: `${namespace}/${pod}`, at: container, what: argv.join(' ') })
    if (typeof answer === 'string') return { stdout: answer, stderr: '', exitCode: 0 }
    return typeof answer === 'number' ? { stdout: '', stderr: 'failed', exitCode: answer } : (answer as ExecResult)
  }

  async logs(
    namespace: string,
    pod: string,
    container: string,
    options: { readonly tailLines: number; readonly previous?: boolean },
  ): Promise<string> {
    const what = `${options.tailLines} lines${options.previous === true ? ' of before' : ''}`
    return String(this.#answer({ how: 'logs', pod: `${namespace}/${pod}`, at: container, what }))
  }

  async request(
    namespace: string,
    pod: string,
    port: number,
    request: { readonly method: string; readonly path: string; readonly headers?: Readonly<Record<string, string>> },
    signal?: AbortSignal,
  ): Promise<HttpResponse> {
    signal?.throwIfAborted()
    const host = request.headers?.host
    const answer = this.#answer({
      how: 'request',
      pod: `${namespace}/${pod}`,
      at: port,
      what: `${request.method} ${request.path}`,
      ...(host === undefined ? {} : { host }),
    })
    if (typeof answer === 'string') return { status: 200, headers: {}, body: answer }
    return typeof answer === 'number' ? { status: answer, headers: {}, body: '' } : (answer as HttpResponse)
  }

  #answer(asked: Asked): Exclude<Answer, Error | undefined> {
    this.asked.push(asked)
    for (const script of this.#scripts) {
      const answer = script(asked)
      if (answer instanceof Error) throw answer
      if (answer !== undefined) return answer
    }
    throw clusterError('NOT_FOUND', `cannot reach ${asked.what} of pod ${asked.pod}: pods "${asked.pod}" not found`)
  }
}
