import { expect, test } from 'vitest'
import { forwardedPort, kubectlTrouble, portForwardArgs, portForwardEnv } from '../../../src/adapters/kubectl.ts'
import { failuresAfter, pauseAfter, slept } from '../../../src/domain/forward/backoff.ts'
import { holderFromLsof, holderText, listeningSockets } from '../../../src/domain/forward/port-holder.ts'
import { readyPod, whyNotReady } from '../../../src/domain/ready-pods.ts'
import { sizeText } from '../../../src/domain/size.ts'

test('pauses grow to two seconds, and a healthy run starts anew', () => {
  let failures = 0
  const pauses = [10, 10, 10, 10, 10, 10, 10, 6_000, 10].map((lived) => {
    failures = failuresAfter(failures, lived)
    return pauseAfter(failures)
  })
  expect(pauses).toEqual([100, 200, 400, 800, 1_600, 2_000, 2_000, 0, 100])
})

test.each([
  [1_000, false],
  [4_000, false],
  [7_000, true],
  [3_600_000, true],
  [-60_000, true],
])('a tick after %i ms', (passed, expected) => {
  expect(slept(passed, 1_000)).toBe(expected)
})

test('kubectl: arguments, the port it took, why it ended', () => {
  const target = { context: 'lab', kubeconfig: '/k', namespace: 'n' }
  expect(portForwardArgs(target, 'p', 5000, '127.9.8.7').join(' ')).toBe(
    '--kubeconfig /k --context lab --namespace n port-forward --address 127.9.8.7 pod/p :5000',
  )
  expect(forwardedPort('Forwarding from 127.9.8.7:40123 -> 5000\nHandling connection for 40123\n')).toBe(40_123)
  expect(forwardedPort('Forwarding from [::1]:40123 -> 5000')).toBe(40_123)
  expect(forwardedPort('Forwarding from 127.0.0.1:40')).toBeUndefined()
  const stderr =
    'E1124 03:51:09.123456   25382 portforward.go:424] "Unhandled Error" err="an error occurred"\nerror: lost connection to pod\n'
  expect(kubectlTrouble(stderr)).toBe('lost connection to pod')
  expect(kubectlTrouble('E1124 03:51:09.123456   25382 memcache.go:265] dial tcp: refused\n')).toBe('dial tcp: refused')
  expect(kubectlTrouble('')).toBe('it said nothing')
})

test('kubectl: its runtime is set, where the user has not', () => {
  expect(portForwardEnv({ PATH: '/bin' })).toEqual({ GOMAXPROCS: '1', GOGC: '200' })
  expect(portForwardEnv({ GOMAXPROCS: '8' })).toEqual({ GOMAXPROCS: '8', GOGC: '200' })
  expect(portForwardEnv({ GOGC: 'off' })).toEqual({ GOMAXPROCS: '1', GOGC: 'off' })
})

const TABLE = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1388 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4711 1 0000000000000000 100 0 0 10 0
   1: 0100007F:1388 0100007F:D431 01 00000000:00000000 00:00000000 00000000  1000        0 4712 1 0000000000000000 20 4 30 10 -1
   2: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4713 1 0000000000000000 100 0 0 10 0
`

test('/proc/net/tcp: who listens, not who is connected', () => {
  expect(listeningSockets(TABLE, 5000)).toEqual([{ inode: '4711', uid: 1000 }])
  expect(listeningSockets(TABLE, 22)).toEqual([{ inode: '4713', uid: 0 }])
  expect(listeningSockets(TABLE, 5001)).toEqual([])
})

test('lsof, and the AirPlay receiver', () => {
  expect(holderFromLsof('p512\ncControlCe\nu501\nf10\n')).toEqual({
    pid: 512,
    command: 'ControlCe',
    uid: 501,
    airPlay: true,
  })
  expect(holderFromLsof('p77\ncdocker-pr\nu0\nf4\n')).toEqual({ pid: 77, command: 'docker-pr', uid: 0 })
  expect(holderFromLsof('')).toBeUndefined()
  expect(holderText({ pid: 512, command: 'ControlCe', airPlay: true })).toBe('the AirPlay receiver of macOS (pid 512)')
  expect(holderText({ uid: 0 })).toBe('"a process of another user"')
})

const pod = (name: string, status: object, metadata: object = {}) =>
  ({ metadata: { name, ...metadata }, status }) as unknown as Parameters<typeof readyPod>[0][number]
const READY = { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] }

test('the newest Ready pod that is not ending', () => {
  const old = pod('old', READY, { creationTimestamp: '2026-01-01T00:00:00Z' })
  const young = pod('young', READY, { creationTimestamp: '2026-01-02T00:00:00Z' })
  const ending = pod('ending', READY, {
    creationTimestamp: '2026-01-03T00:00:00Z',
    deletionTimestamp: '2026-01-03T00:00:01Z',
  })
  expect(readyPod([old, young, ending])?.metadata?.name).toBe('young')
  expect(readyPod([ending])).toBeUndefined()
})

test('why none is Ready', () => {
  const waiting = { state: { waiting: { reason: 'ImagePullBackOff' } } }
  const pods = [
    pod('a', { phase: 'Pending', containerStatuses: [waiting] }),
    pod('b', { phase: 'Pending', conditions: [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable' }] }),
    pod('c', { phase: 'Running' }),
    pod('d', READY, { deletionTimestamp: '2026-01-03T00:00:01Z' }),
  ]
  expect(whyNotReady(pods, 'n')).toBe(
    'no registry pod is ready: pod n/a is ImagePullBackOff, pod n/b is Unschedulable, pod n/c is not ready yet, pod n/d is ending',
  )
  expect(whyNotReady([], 'n')).toBe('there is no registry pod in namespace "n"')
})

test.each([
  [0, '0 B'],
  [1_023, '1023 B'],
  [1_536, '1.5 KiB'],
  [3 * 2 ** 30, '3.0 GiB'],
])('%i bytes', (bytes, text) => {
  expect(sizeText(bytes)).toBe(text)
})
