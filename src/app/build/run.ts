import type { Readable } from 'node:stream'
import { stripVTControlCharacters } from 'node:util'
import { grantCommand } from '../../domain/build/image.ts'
import { type BuildPod, buildJob } from '../../domain/build/job.ts'
import { BUILD_CONTAINER, type PodState, podState } from '../../domain/build/pod-state.ts'
import { clusterError, conflictError, RegctlError } from '../../errors.ts'
import type { BuildPorts } from '../../ports.ts'
import { keepLease } from './lease.ts'
import { buildPod, reasonOfNone } from './pod.ts'

const POLL = 300
/** A Job's pod comes within a second; what comes of none, events tell. */
const NO_POD = 20_000
/** Between a closed stdin and the end of the container. */
const LAST_WORDS = 5_000

/** As the registry's proxy says it. */
const DENIED = /DENIED: spiffe:|403 Forbidden/

type Ended = Extract<PodState, { phase: 'ended' }>

type Work = { readonly repository: string; readonly archive: Readable; readonly timeoutMs: number }

/**
 * Starts the build, feeds it, tells its log and waits for its end; gives the digest. The caller removes the Job.
 * @throws cluster error BUILD_FAILED, BUILD_STUCK or BUILD_TIMEOUT
 */
export async function runBuild(
  ports: BuildPorts,
  pod: BuildPod,
  { repository, archive, timeoutMs }: Work,
): Promise<string> {
  const { kube, clock, report, signal } = ports
  const over = new AbortController()
  const during = AbortSignal.any([signal, over.signal])
  const watch: Watch = { ports, pod, deadline: clock.now() + timeoutMs, timeoutMs, during }
  const job = buildJob(pod)
  const lease = keepLease(ports, job, timeoutMs, during)
  try {
    const name = await report.step(`Start the build in namespace ${pod.namespace}`, async (note) => {
      if ((await kube.create(job)) === undefined)
        throw conflictError('BUILD_EXISTS', `Job ${pod.namespace}/${pod.name} exists already`)
      return untilRunning(watch, note)
    })
    const log = new Tail()
    const following = followLog(watch, name, (chunk) => {
      log.add(chunk)
      ports.log(chunk)
    })
    const sent = ports.buildPods.send(pod.namespace, name, BUILD_CONTAINER, archive, during)
    const [ended] = await Promise.race([
      Promise.all([untilEnded(watch), following]),
      sent.then(
        () => never,
        (error: unknown) => whySent(watch, error),
      ),
    ])
    return digestOf(pod, repository, ended, log.text)
  } finally {
    over.abort()
    await lease
  }
}

const never = new Promise<never>(() => {})

/** A build that fails early closes its stdin: then what it says is what happened, and is told by whoever waits for its end. */
async function whySent({ ports, pod, during }: Watch, error: unknown): Promise<never> {
  if (!(error instanceof RegctlError) || error.code !== 'SEND_FAILED') throw error
  for (let waited = 0; waited < LAST_WORDS; waited += POLL) {
    const found = await buildPod(ports, pod)
    if (found === undefined || podState(found).phase !== 'running') return never
    await ports.clock.sleep(POLL, during)
  }
  throw error
}

type Watch = {
  readonly ports: BuildPorts
  readonly pod: BuildPod
  readonly deadline: number
  readonly timeoutMs: number
  readonly during: AbortSignal
}

/** The pod's name, once the builder waits for its context. */
async function untilRunning(watch: Watch, note: (text: string) => void): Promise<string> {
  const { ports, pod } = watch
  const started = ports.clock.now()
  for (;;) {
    const found = await buildPod(ports, pod)
    if (found === undefined && ports.clock.now() - started > NO_POD)
      throw clusterError('BUILD_STUCK', `the build got no pod: ${await reasonOfNone(ports, pod)}`)
    const state = found === undefined ? undefined : podState(found)
    if (state?.phase === 'stuck') throw stuck(pod, state.why)
    if (state?.phase === 'running' || state?.phase === 'ended') return found?.metadata?.name ?? ''
    note(state?.why ?? 'it is to get a pod')
    await next(watch, state?.why)
  }
}

async function untilEnded(watch: Watch): Promise<Ended> {
  for (;;) {
    const found = await buildPod(watch.ports, watch.pod)
    if (found === undefined)
      throw clusterError(
        'BUILD_STUCK',
        `the build's pod in namespace ${watch.pod.namespace} was removed: by somebody, or because its deadline was not put off in time`,
      )
    const state = podState(found)
    if (state.phase === 'ended') return state
    if (state.phase === 'stuck') throw stuck(watch.pod, state.why)
    await next(watch)
  }
}

async function next({ ports, pod, deadline, timeoutMs, during }: Watch, why = ''): Promise<void> {
  if (ports.clock.now() >= deadline) {
    const last = why === '' ? '' : `: ${why}`
    throw clusterError(
      'BUILD_TIMEOUT',
      `the build in namespace ${pod.namespace} did not end in ${Math.round(timeoutMs / 1000)} s${last}`,
      { suggestions: ['add --timeout, with more'] },
    )
  }
  await ports.clock.sleep(POLL, during)
}

/** Connections end sooner than builds do: it goes on where it was. */
async function followLog(watch: Watch, name: string, tell: (chunk: Uint8Array) => void): Promise<void> {
  const { ports, pod, during } = watch
  let told = 0
  for (;;) {
    const found = await buildPod(ports, pod)
    const last = found === undefined || podState(found).phase !== 'running'
    try {
      await ports.buildPods.follow(
        pod.namespace,
        name,
        BUILD_CONTAINER,
        told,
        (chunk) => {
          told += chunk.length
          tell(chunk)
        },
        during,
      )
    } catch (error) {
      if (!(error instanceof RegctlError) || error.code === 'FORBIDDEN') throw error
    }
    if (last) return
    await next(watch)
  }
}

const stuck = ({ namespace, name }: BuildPod, why: string): RegctlError =>
  clusterError('BUILD_STUCK', `the build in namespace ${namespace} cannot go on: ${why}`, {
    suggestions: [`kubectl get events -n ${namespace}`],
    details: { job: name },
  })

function digestOf(
  { namespace }: BuildPod,
  repository: string,
  { exitCode, message, reason }: Ended,
  log: string,
): string {
  const digest = /^sha256:[0-9a-f]{64}$/m.exec(message)?.[0]
  if (exitCode === 0 && digest !== undefined) return digest
  const said = stripVTControlCharacters(log).trim().split('\n').at(-1) ?? ''
  const why =
    exitCode === 0 ? 'it told no digest' : reason === 'OOMKilled' ? 'it ran out of memory' : said.slice(0, 500)
  throw clusterError('BUILD_FAILED', `the build in namespace ${namespace} failed: ${why}`, {
    suggestions: DENIED.test(log) ? [grantCommand(namespace, repository)] : [],
    details: { exitCode, reason },
  })
}

/** The end of a log. */
class Tail {
  #text = ''
  readonly #decoder = new TextDecoder()

  add(chunk: Uint8Array): void {
    this.#text = (this.#text + this.#decoder.decode(chunk, { stream: true })).slice(-8_192)
  }

  get text(): string {
    return this.#text
  }
}
