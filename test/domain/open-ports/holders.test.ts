import type { V1Node, V1Pod, V1Service } from '@kubernetes/client-node'
import { describe, expect, test } from 'vitest'
import { isUntainted, ownPorts, podHolders, serviceHolders } from '../../../src/domain/open-ports/holders.ts'
import type { OpenPort } from '../../../src/domain/open-ports/port-set.ts'
import { looked, probeJob, socketHolders } from '../../../src/domain/open-ports/probe.ts'
import { at } from '../at.ts'

const ALL: OpenPort = { port: 443, targetPort: 8443, address: 'all' }
const LOOPBACK: OpenPort = { ...ALL, address: 'loopback' }
const HOME = 'kube-registry-ports-web'

type Port = { hostPort?: number; containerPort: number; hostIP?: string; protocol?: string }

const pod = (ports: readonly Port[], spec: object = {}, more: object = {}): V1Pod =>
  ({
    metadata: { namespace: 'other', name: 'theirs' },
    spec: { nodeName: 'node1', containers: [{ name: 'a', ports }], ...spec },
    status: { phase: 'Running' },
    ...more,
  }) as V1Pod

const held = (ours: OpenPort, theirs: V1Pod) => podHolders([ours], ['node1'], [theirs], HOME).map(({ what }) => what)

describe('a pod', () => {
  test.each<[string, OpenPort, V1Pod, boolean]>([
    ['with the host port', ALL, pod([{ hostPort: 443, containerPort: 1 }]), true],
    ['with another', ALL, pod([{ hostPort: 444, containerPort: 443 }]), false],
    ['with it for UDP', ALL, pod([{ hostPort: 443, containerPort: 1, protocol: 'UDP' }]), false],
    ['with it on one address', ALL, pod([{ hostPort: 443, containerPort: 1, hostIP: '127.0.0.1' }]), true],
    ['with it elsewhere', LOOPBACK, pod([{ hostPort: 443, containerPort: 1, hostIP: '10.0.0.1' }]), false],
    ['with it on loopback', LOOPBACK, pod([{ hostPort: 443, containerPort: 1, hostIP: '127.0.0.1' }]), true],
    ['with it everywhere', LOOPBACK, pod([{ hostPort: 443, containerPort: 1, hostIP: '0.0.0.0' }]), true],
    ['on the host network', ALL, pod([{ containerPort: 443 }], { hostNetwork: true }), true],
    ['with the container port alone', ALL, pod([{ containerPort: 443 }]), false],
    ['of another node', ALL, pod([{ hostPort: 443, containerPort: 1 }], { nodeName: 'node2' }), false],
    ['without a node yet', ALL, pod([{ hostPort: 443, containerPort: 1 }], { nodeName: undefined }), true],
    ['that is over', ALL, pod([{ hostPort: 443, containerPort: 1 }], {}, { status: { phase: 'Failed' } }), false],
    ['of ours', ALL, pod([{ hostPort: 443, containerPort: 1 }], {}, { metadata: { namespace: HOME } }), false],
    [
      'in its native sidecar',
      ALL,
      pod([], { initContainers: [{ name: 's', ports: [{ hostPort: 443, containerPort: 1 }] }] }),
      true,
    ],
  ])('%s', (_, ours, theirs, holds) => {
    expect(held(ours, theirs).length > 0).toBe(holds)
  })

  test('is named with its node, or as one without', () => {
    expect(held(ALL, pod([{ hostPort: 443, containerPort: 1 }]))).toEqual(['pod other/theirs on node node1'])
    expect(held(ALL, pod([{ hostPort: 443, containerPort: 1 }], { nodeName: '' }))).toEqual([
      'pod other/theirs, which waits for a node',
    ])
    expect(ownPorts(pod([{ hostPort: 443, containerPort: 8443 }, { containerPort: 15_090 }]))).toEqual([443])
  })
})

test("a Service's node ports are every node's", () => {
  const service = (spec: object) => ({ metadata: { namespace: 'a', name: 'b' }, spec }) as V1Service
  expect(serviceHolders([{ ...ALL, port: 30_000 }], [service({ ports: [{ nodePort: 30_000 }] })])).toEqual([
    { port: 30_000, what: 'the node port of Service a/b' },
  ])
  expect(serviceHolders([{ ...ALL, port: 30_001 }], [service({ healthCheckNodePort: 30_001 })])).toHaveLength(1)
  expect(serviceHolders([ALL], [service({ ports: [{ port: 443, nodePort: 30_000 }] })])).toEqual([])
})

test('a taint keeps our pods away unless the DaemonSet tolerates it anyway', () => {
  const node = (...taints: readonly [string, string][]) =>
    ({ spec: { taints: taints.map(([key, effect]) => ({ key, effect })) } }) as V1Node
  expect(isUntainted(node())).toBe(true)
  expect(isUntainted(node(['node.kubernetes.io/unschedulable', 'NoSchedule']))).toBe(true)
  expect(isUntainted(node(['a', 'PreferNoSchedule']))).toBe(true)
  expect(isUntainted(node(['node-role.kubernetes.io/control-plane', 'NoSchedule']))).toBe(false)
})

describe('a probe', () => {
  const job = probeJob(at, { id: 'x', node: 'node1', image: 'registry:3', ports: [ALL, { ...ALL, port: 80 }] }, 0)
  const pattern = /grep -hsE '([^']+)'/.exec(JSON.stringify(job))?.[1] ?? ''
  const line = (local: string, state = '0A') =>
    `   3: ${local} 00000000:0000 ${state} 00000000:00000000 00:00000000 00000000     0        0 12345 1 0000000000000000`

  test.each([
    ['a listener', line('00000000:01BB'), true],
    ['one of the second port', line('0100007F:0050'), true],
    ['one of IPv6', line(`${'0'.repeat(32)}:01BB`), true],
    ['a connection', line('0100007F:01BB', '01'), false],
    ['another port', line('00000000:1BB0'), false],
  ])('finds %s: %s', (_, text, found) => {
    expect(new RegExp(pattern.replaceAll('\\\\', '\\')).test(text)).toBe(found)
  })

  test.each([
    ['00000000:01BB', 'on every address', true],
    ['0100007F:01BB', 'on 127.0.0.1', true],
    ['0B001EAC:01BB', 'on 172.30.0.11', false],
    [`${'0'.repeat(24)}01000000:01BB`, 'on ::1', false],
    [`${'0'.repeat(32)}:01BB`, 'on every address', true],
    [`0000000000000000FFFF00000100007F:01BB`, 'on an IPv6 address', true],
  ])('reads %s as a holder %s; for loopback alone: %s', (local, where, onLoopback) => {
    const message = `${line(local)}\nlooked\n`
    expect(socketHolders({ node: 'node1', ports: [ALL] }, message)).toEqual([
      { port: 443, what: `a process of node node1 (user 0, ${where})` },
    ])
    expect(socketHolders({ node: 'node1', ports: [LOOPBACK] }, message)).toHaveLength(onLoopback ? 1 : 0)
  })

  test('says how far it is', () => {
    const state = (status: object) => looked({ status } as V1Pod)
    const ended = (message: string, exitCode = 0) => ({
      containerStatuses: [{ state: { terminated: { message, exitCode } } }],
    })
    expect(state({})).toEqual({ phase: 'waiting', why: 'its pod has not started' })
    expect(state({ containerStatuses: [{ state: { waiting: { reason: 'ErrImagePull' } } }] })).toEqual({
      phase: 'waiting',
      why: 'ErrImagePull',
    })
    expect(state(ended('looked\n'))).toEqual({ phase: 'looked', message: 'looked\n' })
    expect(state(ended('', 127))).toEqual({ phase: 'failed', why: 'it ended with 127' })
    expect(state({ phase: 'Failed', message: 'no room', reason: 'OutOfcpu' })).toEqual({
      phase: 'failed',
      why: 'no room',
    })
  })

  test('ends by itself, and has nothing that others would want', () => {
    expect(job).toMatchObject({ spec: { activeDeadlineSeconds: 60, ttlSecondsAfterFinished: 15, backoffLimit: 0 } })
    expect(job).toMatchObject({
      spec: { template: { spec: { nodeName: 'node1', automountServiceAccountToken: false } } },
    })
  })
})
