import { HttpMethod, IsomorphicFetchHttpLibrary, type KubeConfig, RequestContext } from '@kubernetes/client-node'
import { RegctlError } from '../../errors.ts'
import type { Clock } from '../../ports.ts'
import { connectionError, credentialsError, isConnectionLost, statusError, type Target } from './errors.ts'

export type ApiRequest = {
  readonly method: keyof typeof HttpMethod
  /** Path below the server, already encoded. */
  readonly path: string
  readonly query?: Readonly<Record<string, string | undefined>>
  readonly body?: unknown
  readonly contentType?: string
  /** For messages: the verb and the object, such as `get Secret kube-registry/state`. */
  readonly about: string
  /** Statuses besides 2xx that are an answer to the caller and not a failure. */
  readonly expect?: readonly number[]
  /** False for a request that must not be sent twice when its answer was lost. */
  readonly repeatable?: boolean
  readonly signal?: AbortSignal
}

export type WatchEvent = { readonly type: string; readonly object: unknown }

export type ApiResponse = { readonly status: number; readonly text: string }

const ATTEMPTS = 5
const FIRST_PAUSE = 250
const LONGEST_PAUSE = 8_000
const REQUEST_LIMIT = 60_000

/** Requests to the API server: credentials of the kubeconfig, retries of what is transient, errors in our words. */
export class Api {
  readonly target: Target
  readonly #clock: Clock
  readonly #signal: AbortSignal
  readonly #again: (() => KubeConfig) | undefined
  #config: KubeConfig
  readonly #http = new IsomorphicFetchHttpLibrary()
  #dispatcher: ReturnType<RequestContext['getDispatcher']>

  /** `again` reads the kubeconfig anew, for who logged in since. */
  constructor(config: KubeConfig, clock: Clock, signal: AbortSignal, again?: () => KubeConfig) {
    this.#config = config
    this.#clock = clock
    this.#signal = signal
    this.#again = again
    this.target = { context: config.getCurrentContext(), server: serverOf(config) }
  }

  request(request: ApiRequest): Promise<ApiResponse> {
    return this.withCredentials(() => this.#attempts(request))
  }

  /** Refused credentials are read anew once: a token ran out, or the plugin that gives them has others by now. */
  async withCredentials<T>(run: (config: KubeConfig) => Promise<T>): Promise<T> {
    const config = this.#config
    try {
      return await run(config)
    } catch (error) {
      if (!(error instanceof RegctlError) || !['UNAUTHORIZED', 'CREDENTIALS'].includes(error.code)) throw error
      if (this.#again === undefined) throw error
      // Of several that were refused at once the first one reads.
      if (this.#config === config) this.#take(this.#again())
      // A plugin that failed was asked a moment ago, maybe with a window on the screen.
      if (error.code === 'CREDENTIALS') throw error
      return run(this.#config)
    }
  }

  #take(config: KubeConfig): void {
    this.#config = config
    // Its connections have a client certificate of before.
    this.#dispatcher = undefined
  }

  async #attempts(request: ApiRequest): Promise<ApiResponse> {
    const signal = request.signal === undefined ? this.#signal : AbortSignal.any([this.#signal, request.signal])
    for (let attempt = 1; ; attempt += 1) {
      signal.throwIfAborted()
      const last = attempt === ATTEMPTS
      const answer = await this.#send(request, signal).catch((error: unknown) => {
        signal.throwIfAborted()
        if (!last && request.repeatable !== false && isConnectionLost(error)) return undefined
        throw error
      })
      if (answer !== undefined) {
        const { status, headers, text } = answer
        if ((status >= 200 && status < 300) || request.expect?.includes(status)) return { status, text }
        if (last || !isTransient(status, request)) throw statusError(status, text, request.about, this.target)
        const asked = Number(headers['retry-after']) * 1_000
        if (asked > 0) {
          await this.#clock.sleep(Math.min(asked, LONGEST_PAUSE), signal)
          continue
        }
      }
      await this.#clock.sleep(Math.min(FIRST_PAUSE * 2 ** (attempt - 1), LONGEST_PAUSE), signal)
    }
  }

  /** The objects of a watch, one a line, until the server ends it. Nothing is tried again here. */
  async *watch(request: ApiRequest, signal: AbortSignal): AsyncGenerator<WatchEvent> {
    const decoder = new TextDecoder()
    let rest = ''
    for await (const chunk of this.stream(request, signal)) {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) if (line !== '') yield JSON.parse(line) as WatchEvent
    }
  }

  /** A body as it comes. Nothing is tried again here. */
  async *stream(request: ApiRequest, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const { status, body } = await this.#open(request, signal)
    if (status !== 200) throw statusError(status, await body.text(), request.about, this.target)
    const stream = body.stream?.() as unknown as AsyncIterable<Uint8Array> | null | undefined
    try {
      for await (const chunk of stream ?? []) yield chunk
    } catch (cause) {
      throw connectionError(cause, request.about, this.target)
    }
  }

  async #send(request: ApiRequest, signal: AbortSignal) {
    const limited = AbortSignal.any([signal, AbortSignal.timeout(REQUEST_LIMIT)])
    const { status, headers, body } = await this.#open(request, limited)
    try {
      return { status, headers, text: await body.text() }
    } catch (cause) {
      throw connectionError(cause, request.about, this.target)
    }
  }

  async #open(request: ApiRequest, signal: AbortSignal) {
    const context = new RequestContext(this.target.server + request.path, HttpMethod[request.method])
    for (const [name, value] of Object.entries(request.query ?? {})) {
      if (value !== undefined) context.setQueryParam(name, value)
    }
    context.setHeaderParam('Accept', 'application/json, */*')
    if (request.body !== undefined) {
      context.setHeaderParam('Content-Type', request.contentType ?? 'application/json')
      context.setBody(JSON.stringify(request.body))
    }
    try {
      await this.#config.applySecurityAuthentication(context)
    } catch (cause) {
      throw credentialsError(cause, this.target)
    }
    // client-node 2.0.1 makes a new connection pool per request; one for all saves a TLS handshake each time.
    this.#dispatcher ??= context.getDispatcher()
    if (this.#dispatcher !== undefined) context.setDispatcher(this.#dispatcher)
    context.setSignal(signal)
    try {
      const response = await this.#http.send(context).toPromise()
      return { status: response.httpStatusCode, headers: response.headers, body: response.body }
    } catch (cause) {
      throw connectionError(cause, request.about, this.target)
    }
  }
}

export const serverOf = (config: KubeConfig): string => (config.getCurrentCluster()?.server ?? '').replace(/\/+$/, '')

/** 429 is refused before it is processed, so even a create may be sent again. */
function isTransient(status: number, request: ApiRequest): boolean {
  if (status === 429) return true
  return request.repeatable !== false && [500, 502, 503, 504].includes(status)
}
