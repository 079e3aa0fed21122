import { afterEach, expect, test } from 'vitest'
import { systemClock } from '../../../src/adapters/clock.ts'
import { Api } from '../../../src/adapters/kube/api.ts'
import { type PodSource, ReadyPods } from '../../../src/adapters/kube/ready-pods.ts'
import { apiServer, hastyClock } from './api-server.ts'

const closing: (() => unknown)[] = []
afterEach(() => {
  for (const close of closing.splice(0)) close()
})

const pod = (name: string, ready: boolean, ending = false) => ({
  metadata: {
    name,
    uid: `uid-${name}`,
    creationTimestamp: '2026-01-01T00:00:00Z',
    ...(ending ? { deletionTimestamp: 'now' } : {}),
  },
  status: { phase: 'Running', conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }] },
})

type Pods = readonly ReturnType<typeof pod>[]
type Round = {
  readonly list?: Pods
  readonly status?: number
  readonly events?: readonly object[]
  readonly watch?: number
}

/** Each round is a list and the watch that follows it; the last one repeats, with no events. */
async function follow(...rounds: readonly Round[]) {
  let round = -1
  const lists: number[] = []
  let made = 0
  const server = await apiServer(({ url }) => {
    const watch = url.searchParams.get('watch') === 'true'
    if (!watch) round += 1
    const {
      list = [],
      status = 200,
      events = [],
      watch: watched = 200,
    } = rounds[Math.min(round, rounds.length - 1)] ?? {}
    if (watch) {
      if (watched !== 200) return { status: watched, body: { message: 'User "u" cannot watch resource "pods"' } }
      if (round >= rounds.length) return { body: '' }
      return { body: events.map((event) => `${JSON.stringify(event)}\n`).join('') }
    }
    lists.push(Date.now())
    if (status !== 200) return { status, body: { message: 'no' } }
    return { body: { items: list, metadata: { resourceVersion: '7' } } }
  })
  closing.push(() => server[Symbol.dispose]())
  const api = new Api(server.config, hastyClock, new AbortController().signal, () => {
    made += 1
    return server.config
  })
  const pods: PodSource = new ReadyPods({ api, sought: { namespace: 'n', selector: 'app=r' }, clock: systemClock })
  closing.unshift(() => pods.close())
  return { pods, seen: server.seen, lists, made: () => made }
}

test('a pod that becomes Ready while it is watched', async () => {
  const { pods, seen } = await follow({
    list: [pod('a', false)],
    events: [
      { type: 'BOOKMARK', object: { metadata: { resourceVersion: '8' } } },
      { type: 'MODIFIED', object: pod('a', true) },
    ],
  })
  expect(pods.current).toBeUndefined()
  expect((await pods.ready(AbortSignal.timeout(2_000))).metadata?.name).toBe('a')
  const [list, watch] = seen
  expect(list?.url.searchParams.get('labelSelector')).toBe('app=r')
  expect(watch?.url.searchParams.get('resourceVersion')).toBe('7')
})

test('a pod that is replaced: first it goes, then the next is Ready', async () => {
  const { pods } = await follow(
    { list: [pod('a', true)], events: [{ type: 'MODIFIED', object: pod('a', true, true) }] },
    { list: [pod('a', true, true), pod('b', false)], events: [{ type: 'MODIFIED', object: pod('b', true) }] },
    { list: [pod('b', true)] },
  )
  const names: (string | undefined)[] = []
  pods.onChange(() => names.push(pods.current?.metadata?.name))
  await expect.poll(() => pods.current?.metadata?.name).toBe('b')
  expect(names.slice(0, 2)).toEqual(['a', undefined])
  expect(pods.stays(pod('a', true) as never)).toBe(false)
  expect(pods.stays(pod('b', true) as never)).toBe(true)
})

test('who may not watch asks again', async () => {
  const { pods, lists } = await follow({ list: [pod('a', false)], watch: 403 }, { list: [pod('a', true)], watch: 403 })
  expect((await pods.ready(AbortSignal.timeout(4_000))).metadata?.name).toBe('a')
  expect((lists[1] ?? 0) - (lists[0] ?? 0)).toBeGreaterThan(1_500)
})

test('nobody is Ready: why, and the command that shows it', async () => {
  const { pods } = await follow({ list: [pod('a', false)] })
  await expect(pods.ready(AbortSignal.timeout(200))).rejects.toMatchObject({
    code: 'NO_READY_POD',
    message: 'no registry pod is ready: pod n/a is not ready yet',
    suggestions: ['kubectl get pods -n n -l app=r'],
  })
})

test('credentials that are refused are read anew until they are good', async () => {
  const refused = { status: 401 }
  const { pods, made } = await follow(refused, refused, refused, { list: [pod('a', true)] })
  await expect(pods.ready(AbortSignal.timeout(50))).rejects.toMatchObject({ code: 'UNAUTHORIZED' })
  expect((await pods.ready(AbortSignal.timeout(4_000))).metadata?.name).toBe('a')
  expect(made()).toBe(2)
})
