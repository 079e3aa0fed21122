import { describe, expect, test } from 'vitest'
import { diagnose } from '../../../src/app/inspect/diagnose.ts'
import { at } from '../../domain/at.ts'
import { type FakeCluster, installedCluster } from '../../fakes/cluster.ts'

type Status = Readonly<Record<string, unknown>>

const container = (name: string, state: Status, restartCount = 0, ready = false) => ({
  name,
  ready,
  restartCount,
  state,
})
const waiting = (reason: string, message?: string) => ({
  waiting: { reason, ...(message === undefined ? {} : { message }) },
})

/** An installation whose registry pod has this status, and is called `registry`. */
async function registryWith(status: Status) {
  const cluster = await installedCluster()
  cluster.store.remove({ apiVersion: 'apps/v1', kind: 'Deployment', namespace: 'kube-registry', name: 'kube-registry' })
  cluster.store.put({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'registry', namespace: 'kube-registry', labels: { app: 'kube-registry' } },
    status: { phase: 'Pending', ...status },
  })
  return cluster
}

let events = 0
function event({ store }: FakeCluster, reason: string, message: string, more: Status = {}, place = 'kube-registry') {
  store.put({
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name: `e${(1000 - events++).toString()}`, namespace: place },
    type: 'Warning',
    involvedObject: { name: 'registry' },
    reason,
    message,
    ...more,
  })
}

test('nothing is wrong where all is ready', async () => {
  expect(await diagnose((await installedCluster()).ports, at)).toEqual([])
})

describe('a pod that is not ready', () => {
  test.each<[string, Status, string, string]>([
    ['only its phase', {}, 'Pending', 'kubectl describe pod -n kube-registry registry'],
    [
      'the reason it failed',
      { phase: 'Failed', reason: 'Evicted' },
      'Evicted',
      'kubectl describe pod -n kube-registry registry',
    ],
    [
      'an image that cannot be pulled',
      { containerStatuses: [container('registry', waiting('ImagePullBackOff', 'back-off pulling'))] },
      'container registry waits: ImagePullBackOff back-off pulling',
      'regctl up --image AN_IMAGE_THE_NODES_CAN_PULL',
    ],
    [
      'an init container that waits',
      { initContainerStatuses: [container('istio-init', waiting('ErrImagePull'))] },
      'container istio-init waits: ErrImagePull',
      'regctl up --image AN_IMAGE_THE_NODES_CAN_PULL',
    ],
    [
      'one that ended',
      { containerStatuses: [container('registry', { terminated: { exitCode: 2, reason: 'Error' } })] },
      'container registry ended with 2: Error',
      'kubectl describe pod -n kube-registry registry',
    ],
    [
      'the container that is stuck and not the one that is done',
      {
        initContainerStatuses: [container('init', { terminated: { exitCode: 0 } }, 0, true)],
        containerStatuses: [container('registry', waiting('PodInitializing'))],
      },
      'container registry waits: PodInitializing',
      'kubectl describe pod -n kube-registry registry',
    ],
    [
      'the gate that waits for policies',
      { initContainerStatuses: [container('policies-in-force', { running: {} })] },
      'it waits for its policies, which are not in force in its proxy; Pending',
      'regctl up',
    ],
    [
      'nothing of a gate that is open, nor of another container that runs',
      {
        initContainerStatuses: [
          container('istio-proxy', { running: {} }),
          container('policies-in-force', { terminated: { exitCode: 0 } }, 0, true),
        ],
      },
      'Pending',
      'kubectl describe pod -n kube-registry registry',
    ],
    [
      'a volume that does not bind',
      {
        conditions: [
          {
            type: 'PodScheduled',
            status: 'False',
            reason: 'Unschedulable',
            message: 'unbound immediate PersistentVolumeClaims',
          },
        ],
      },
      'Pending; unbound immediate PersistentVolumeClaims',
      'regctl up --storage-class NAME, or --storage emptydir',
    ],
    [
      'a host port that is taken',
      {
        conditions: [
          { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: "didn't have free ports" },
        ],
      },
      "Pending; didn't have free ports",
      'regctl doctor, which names the pod that holds the port',
    ],
  ])('tells %s', async (_, status, why, fix) => {
    const [first, ...more] = await diagnose((await registryWith(status)).ports, at)
    expect([first, more]).toEqual([{ object: 'pod kube-registry/registry', why, fix }, []])
  })

  test('has the three latest warnings about it, each once', async () => {
    const cluster = await registryWith({})
    const when = (second: number) => ({ lastTimestamp: `2026-01-01T00:00:0${second}Z` })
    event(cluster, 'FailedMount', 'old', when(1))
    event(cluster, 'Unhealthy', 'probe', when(5))
    event(cluster, 'FailedScheduling', 'new', { lastTimestamp: null, eventTime: '2026-01-01T00:00:09.000000Z' })
    event(cluster, 'Unhealthy', 'probe', when(7))
    event(cluster, 'Other', 'about another', { involvedObject: { name: 'other' }, ...when(9) })
    event(cluster, 'Pulled', 'fine', { type: 'Normal', ...when(9) })
    event(cluster, 'Elsewhere', 'far', when(9), 'kube-registry-node')
    expect((await diagnose(cluster.ports, at))[0]?.why).toBe('Pending; Unhealthy: probe; FailedScheduling: new')
  })

  test('that restarted has the last lines of before', async () => {
    const cluster = await registryWith({ containerStatuses: [container('registry', waiting('CrashLoopBackOff'), 3)] })
    const undo = cluster.pods.script(({ what, pod, at: name }) =>
      what === '3 lines of before' && pod === 'kube-registry/registry' && name === 'registry'
        ? 'panic: no space\n'
        : undefined,
    )
    const why = async () => (await diagnose(cluster.ports, at))[0]?.why
    expect(await why()).toBe('container registry waits: CrashLoopBackOff; last log lines: panic: no space')
    undo()
    expect(await why()).toBe('container registry waits: CrashLoopBackOff')
    cluster.pods.script(({ how }) => (how === 'logs' ? ' \n' : undefined))
    expect(await why()).toBe('container registry waits: CrashLoopBackOff')
  })

  test('of a node is told as well', async () => {
    const cluster = await installedCluster()
    cluster.workloads.start = ({ node }) => ({
      conditions: [{ type: 'Ready', status: node === 'node2' ? 'False' : 'True' }],
    })
    cluster.workloads.again()
    const findings = await diagnose(cluster.ports, at)
    expect(findings.map(({ object }) => object)).toEqual([
      expect.stringMatching(/^pod kube-registry-node\/registry-node-/),
    ])
  })
})

describe('where there is no pod at all', () => {
  test('the warnings of the namespace tell why', async () => {
    const cluster = await installedCluster()
    cluster.store.remove({
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      namespace: 'kube-registry',
      name: 'kube-registry',
    })
    const violation = 'violates PodSecurity "baseline"'
    event(cluster, 'FailedCreate', violation, { involvedObject: { name: 'kube-registry-abc' } })
    expect(await diagnose(cluster.ports, at)).toEqual([
      {
        object: 'namespace kube-registry',
        why: `FailedCreate: ${violation}`,
        fix: 'kubectl get events -n kube-registry',
      },
    ])
  })

  test('of the node proxy, those of its own', async () => {
    const cluster = await installedCluster()
    cluster.store.remove({
      apiVersion: 'apps/v1',
      kind: 'DaemonSet',
      namespace: 'kube-registry-node',
      name: 'registry-node',
    })
    event(cluster, 'FailedCreate', 'quota', {}, 'kube-registry-node')
    event(cluster, 'FailedCreate', 'not this', {})
    expect((await diagnose(cluster.ports, at)).map(({ object, why }) => [object, why])).toEqual([
      ['namespace kube-registry-node', 'FailedCreate: quota'],
    ])
  })
})

test('a pod that PodSecurity refuses has the label that lets it in', async () => {
  const cluster = await registryWith({})
  event(cluster, 'Failed', 'violates PodSecurity "restricted"')
  expect((await diagnose(cluster.ports, at))[0]?.fix).toBe(
    'kubectl label namespace kube-registry pod-security.kubernetes.io/enforce=privileged',
  )
})
