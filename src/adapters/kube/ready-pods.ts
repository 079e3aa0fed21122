import type { V1Pod } from '@kubernetes/client-node'
import { Changes } from '../../domain/changes.ts'
import { pauseAfter } from '../../domain/forward/backoff.ts'
import { readyPod, whyNotReady } from '../../domain/ready-pods.ts'
import { clusterError, RegctlError } from '../../errors.ts'
import type { Clock } from '../../ports.ts'
import type { Api, WatchEvent } from './api.ts'

export type PodsSought = { readonly namespace: string; readonly selector: string }

type Watched = {
  readonly api: Api
  readonly sought: PodsSought
  readonly clock: Clock
}

export type PodSource = Pick<ReadyPods, 'current' | 'trouble' | 'ready' | 'stays' | 'onChange' | 'refresh' | 'close'>

/** Some servers and proxies drop a watch in silence, so none gets old. */
const WATCH_SECONDS = 120
const POLL = 2_000

/** Keeps up with which pod is Ready, by a watch, or by asking where only listing is allowed. */
export class ReadyPods {
  readonly #watched: Watched
  readonly #end = new AbortController()
  readonly #pods = new Map<string, V1Pod>()
  readonly #changes = new Changes()
  #round = new AbortController()
  #trouble: RegctlError | undefined
  #known = false

  constructor(watched: Watched) {
    this.#watched = watched
    void this.#keepUp()
  }

  get current(): V1Pod | undefined {
    return readyPod([...this.#pods.values()])
  }

  /** Is it neither gone nor going? It need not be Ready: under load it may miss a probe. */
  stays(pod: V1Pod): boolean {
    const now = this.#pods.get(pod.metadata?.uid ?? '')
    return now !== undefined && now.metadata?.deletionTimestamp === undefined && now.status?.phase === 'Running'
  }

  /** Why there is none, or why nobody knows. */
  get trouble(): RegctlError {
    if (this.#trouble !== undefined) return this.#trouble
    const { namespace, selector } = this.#watched.sought
    const why = this.#known ? whyNotReady([...this.#pods.values()], namespace) : 'the API server has not answered yet'
    return clusterError('NO_READY_POD', why, { suggestions: [`kubectl get pods -n ${namespace} -l ${selector}`] })
  }

  /** @throws the trouble, when aborted before */
  async ready(signal: AbortSignal): Promise<V1Pod> {
    for (;;) {
      const pod = this.current
      if (pod !== undefined) return pod
      if (signal.aborted) throw this.trouble
      await this.#changes.next(signal)
    }
  }

  onChange(listener: () => void): () => void {
    return this.#changes.listen(listener)
  }

  /** Asks anew: what was known may be of before the machine slept. */
  refresh(): void {
    this.#round.abort()
  }

  close(): void {
    this.#end.abort()
  }

  async #keepUp(): Promise<void> {
    let failures = 0
    while (!this.#end.signal.aborted) {
      this.#round = new AbortController()
      const signal = AbortSignal.any([this.#end.signal, this.#round.signal])
      try {
        const version = await this.#list(signal)
        failures = 0
        await this.#watch(version, signal)
      } catch (error) {
        if (signal.aborted) continue
        failures += 1
        this.#trouble =
          error instanceof RegctlError ? error : clusterError('PODS_UNKNOWN', `cannot watch pods: ${String(error)}`)
        this.#changes.tell()
        await this.#watched.clock.sleep(pauseAfter(failures), signal).catch(() => {})
      }
    }
  }

  async #list(signal: AbortSignal): Promise<string> {
    const { text } = await this.#watched.api.request({ method: 'GET', ...this.#request('list'), signal })
    const list = JSON.parse(text) as { items: V1Pod[]; metadata: { resourceVersion?: string } }
    this.#pods.clear()
    for (const pod of list.items) this.#pods.set(pod.metadata?.uid ?? '', pod)
    this.#trouble = undefined
    this.#known = true
    this.#changes.tell()
    return list.metadata.resourceVersion ?? ''
  }

  async #watch(resourceVersion: string, signal: AbortSignal): Promise<void> {
    const request = this.#request('watch')
    const query = { ...request.query, watch: 'true', resourceVersion, timeoutSeconds: String(WATCH_SECONDS) }
    try {
      const limit = AbortSignal.any([signal, AbortSignal.timeout((WATCH_SECONDS + 30) * 1_000)])
      for await (const event of this.#watched.api.watch({ ...request, method: 'GET', query }, limit)) {
        if (!this.#take(event)) return
      }
    } catch (error) {
      if (!(error instanceof RegctlError) || error.code !== 'FORBIDDEN') throw error
      await this.#watched.clock.sleep(POLL, signal)
    }
  }

  /** False where the server wants the list to be asked for again. */
  #take({ type, object }: WatchEvent): boolean {
    const pod = object as V1Pod
    const uid = pod.metadata?.uid
    if (uid === undefined || !['ADDED', 'MODIFIED', 'DELETED'].includes(type)) return type === 'BOOKMARK'
    if (type === 'DELETED') this.#pods.delete(uid)
    else this.#pods.set(uid, pod)
    this.#changes.tell()
    return true
  }

  #request(verb: string) {
    const { namespace, selector } = this.#watched.sought
    return {
      path: `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods`,
      query: { labelSelector: selector },
      about: `${verb} pods in namespace ${namespace}`,
    }
  }
}
