import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { describe, expect, test } from 'vitest'
import { type BuildInput, build } from '../../../src/app/build/build.ts'
import type { KubeObject } from '../../../src/domain/kube-object.ts'
import { clusterError } from '../../../src/errors.ts'
import type { BuildPods, BuildPorts } from '../../../src/ports.ts'
import { installedCluster, namespace } from '../../fakes/cluster.ts'
import { SharedClock } from '../../fakes/shared-clock.ts'
import { failure } from '../failure.ts'
import { grantNow } from '../grant/granted.ts'

const DIGEST = `sha256:${'a'.repeat(64)}`
const JOB = { apiVersion: 'batch/v1', kind: 'Job' } as const

const INPUT: BuildInput = {
  registryNamespace: 'kube-registry',
  context: '.',
  image: 'example/app:1',
  buildArgs: ['A=1'],
  builder: 'kaniko',
  privileged: false,
  timeoutMs: 300_000,
}

type State = Readonly<Record<string, unknown>>
const ended = (exitCode: number, message = ''): State => ({ terminated: { exitCode, message } })

type Script = {
  /** What becomes of the pod once its context is there. */
  readonly end?: State
  readonly start?: State
  readonly log?: string
  readonly send?: BuildPods['send']
  readonly proxy?: boolean
}

/** A cluster whose Jobs get their pod, and whose builder reads its context and ends. */
async function cluster({ end = ended(0, DIGEST), start = { running: {} }, log = '', send, proxy = true }: Script = {}) {
  const made = await installedCluster()
  const { store, kube, ports } = made
  store.put(namespace('ci'))
  await grantNow(made, 'ci example')
  const admit = store.admit
  store.admit = (object) => {
    const name = object.metadata.name
    const pods = (object.spec as { containers?: readonly object[] }) ?? {}
    if (object.kind !== 'Pod' || !name.startsWith('regctl-build-') || !proxy) return admit(object)
    return { ...object, spec: { ...pods, initContainers: [{ name: 'istio-proxy' }] } }
  }
  const put = (job: KubeObject, state: State): void => {
    const { name, labels } = job.metadata
    const status = { phase: 'Running', containerStatuses: [{ name: 'build', state }] }
    const metadata = { name: `${name}-x`, namespace: 'ci', ...(labels === undefined ? {} : { labels }) }
    store.put({ apiVersion: 'v1', kind: 'Pod', metadata, spec: { containers: [] }, status })
  }
  const clock = new SharedClock()
  const jobs: KubeObject[] = []
  const create = kube.create.bind(kube)
  kube.create = async (object, options) => {
    const created = await create(object, options)
    if (object.kind === 'Job') {
      jobs.push(object)
      put(object, start)
    }
    return created
  }
  const said: string[] = []
  let sent = ''
  const buildPods: BuildPods = {
    send:
      send ??
      (async (_namespace, _pod, _container, content) => {
        sent = (await buffer(content)).toString()
        put(jobs[0] as KubeObject, end)
      }),
    async follow(_namespace, _pod, _container, from, tell) {
      tell(Buffer.from(log).subarray(from))
    },
  }
  const contexts = { pack: async () => ({ archive: Readable.from(['archive']), dockerfile: 'Dockerfile' }) }
  const all: BuildPorts = {
    ...ports,
    clock,
    contexts,
    buildPods,
    cleanup: kube,
    log: (chunk) => void said.push(Buffer.from(chunk).toString()),
  }
  const left = () => store.list(JOB, { namespace: 'ci' }).map(({ metadata }) => metadata.name)
  return { ...made, clock, ports: all, jobs, left, said, sent: () => sent }
}

describe('a build', () => {
  test('sends the context, tells the log, gives the digest and removes its Job', async () => {
    const { ports, jobs, left, said, sent } = await cluster({ log: 'building\n' })
    expect(await build(ports, INPUT)).toEqual({
      image: 'localhost:5000/example/app:1',
      digest: DIGEST,
      namespace: 'ci',
      serviceAccount: 'default',
      builder: 'kaniko',
    })
    expect(sent()).toBe('archive')
    expect(said.join('')).toBe('building\n')
    expect(left()).toEqual([])
    const [job] = jobs as unknown as { spec: { template: { spec: object; metadata: { annotations: object } } } }[]
    expect(job).toMatchObject({ spec: { backoffLimit: 0, activeDeadlineSeconds: 90, ttlSecondsAfterFinished: 30 } })
    expect(job?.spec.template.spec).toMatchObject({
      serviceAccountName: 'default',
      automountServiceAccountToken: false,
      restartPolicy: 'Never',
      containers: [{ name: 'build', stdin: true, stdinOnce: true }],
    })
    expect(JSON.stringify(job)).toContain('--destination=localhost:5000/example/app:1')
    expect(JSON.stringify(job)).toContain('--build-arg=A=1')
  })

  test.each<readonly [string, Script, string, number, string]>([
    ['fails', { end: ended(1), log: '\u001b[31mno such file\n' }, 'BUILD_FAILED', 5, 'failed: no such file'],
    ['tells no digest', { end: ended(0) }, 'BUILD_FAILED', 5, 'it told no digest'],
    [
      'runs out of memory',
      { end: { terminated: { exitCode: 137, reason: 'OOMKilled' } } },
      'BUILD_FAILED',
      5,
      'memory',
    ],
    [
      'has no image',
      { start: { waiting: { reason: 'ImagePullBackOff', message: 'x' } } },
      'BUILD_STUCK',
      5,
      'ImagePullBackOff',
    ],
    ['does not start in time', { start: { waiting: { reason: 'ContainerCreating' } } }, 'BUILD_TIMEOUT', 5, '300 s'],
    ['gets no proxy', { proxy: false }, 'NOT_INJECTED', 3, 'get no Istio proxy'],
    [
      'may not be fed',
      { send: () => Promise.reject(clusterError('NOT_ADMITTED', 'not you')) },
      'NOT_ADMITTED',
      5,
      'not you',
    ],
    [
      'loses its feeder',
      { send: () => Promise.reject(clusterError('SEND_FAILED', 'the connection closed early')) },
      'SEND_FAILED',
      5,
      'closed early',
    ],
  ])('that %s: nothing of it is left', async (_name, script, code, exit, message) => {
    const { ports, left } = await cluster(script)
    await expect(build(ports, INPUT)).rejects.toThrow(failure(code, exit, message))
    expect(left()).toEqual([])
  })

  test('that the registry refuses names the grant command', async () => {
    const log = 'DENIED: spiffe://cluster.local/ns/ci/sa/default may not POST /v2/example/app/blobs/uploads/\n'
    const { ports } = await cluster({ end: ended(1), log })
    await expect(build(ports, INPUT)).rejects.toMatchObject({ suggestions: ['regctl grant ci example'] })
  })

  test('without a grant starts nothing', async () => {
    const { ports, jobs } = await cluster()
    await expect(build(ports, { ...INPUT, image: 'other:1' })).rejects.toThrow(failure('NOT_GRANTED', 3))
    expect(jobs).toEqual([])
  })

  test('puts its deadline off while it is waited for', async () => {
    const patched: unknown[] = []
    const { ports, clock, jobs, store, kube } = await cluster({ send: () => new Promise(() => {}) })
    const patch = kube.mergePatch.bind(kube)
    kube.mergePatch = (ref, body) => {
      patched.push((body.spec as { activeDeadlineSeconds: number }).activeDeadlineSeconds)
      return patch(ref, body)
    }
    const building = build(ports, INPUT)
    await clock.sleep(50_000)
    const name = `${jobs[0]?.metadata.name}-x`
    const pod = store.read({ apiVersion: 'v1', kind: 'Pod', namespace: 'ci', name }) as KubeObject
    const status = { phase: 'Running', containerStatuses: [{ name: 'build', state: ended(0, DIGEST) }] }
    store.put({ ...pod, status })
    await building
    expect(patched).toEqual([110, 130])
  })
})
