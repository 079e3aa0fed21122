import type { V1ContainerState, V1Pod, V1PodStatus } from '@kubernetes/client-node'
import { expect, test } from 'vitest'
import { podState } from '../../../src/domain/build/pod-state.ts'

const container = (name: string, state: V1ContainerState) => ({
  name,
  state,
  image: '',
  imageID: '',
  ready: false,
  restartCount: 0,
})
const pod = (status: V1PodStatus): V1Pod => ({ status })
const build = (state: V1ContainerState, status: V1PodStatus = {}): V1Pod =>
  pod({ phase: 'Pending', ...status, containerStatuses: [container('istio-proxy', {}), container('build', state)] })

test.each<readonly [string, V1Pod, object]>([
  ['new', pod({}), { phase: 'waiting', why: 'it is being scheduled' }],
  [
    'without a node',
    pod({ conditions: [{ type: 'PodScheduled', status: 'False', message: '0/2 nodes are available' }] }),
    { phase: 'waiting', why: '0/2 nodes are available' },
  ],
  [
    'behind its init container',
    pod({ initContainerStatuses: [container('istio-init', { waiting: { reason: 'PodInitializing' } })] }),
    { phase: 'waiting', why: 'container istio-init is to start' },
  ],
  [
    'with an image that is tried again',
    build({ waiting: { reason: 'ErrImagePull' } }),
    { phase: 'waiting', why: 'container build is to start' },
  ],
  [
    'with an image that does not come',
    build({ waiting: { reason: 'ImagePullBackOff', message: 'Back-off pulling "x"' } }),
    { phase: 'stuck', why: 'container build: ImagePullBackOff: Back-off pulling "x"' },
  ],
  ['running', build({ running: {} }, { phase: 'Running' }), { phase: 'running' }],
  [
    'ended while a classic sidecar runs on',
    build({ terminated: { exitCode: 0, message: 'sha256:1\n', reason: 'Completed' } }, { phase: 'Running' }),
    { phase: 'ended', exitCode: 0, message: 'sha256:1', reason: 'Completed' },
  ],
  [
    'evicted before it began',
    pod({ phase: 'Failed', reason: 'Evicted', message: 'The node was low on resource: memory' }),
    { phase: 'stuck', why: 'The node was low on resource: memory' },
  ],
])('a pod %s', (_name, given, state) => {
  expect(podState(given)).toEqual(state)
})
