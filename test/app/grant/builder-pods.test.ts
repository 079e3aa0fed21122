import type { V1Pod } from '@kubernetes/client-node'
import { expect, test } from 'vitest'
import { checkPods, podsWithoutProxy } from '../../../src/app/grant/builder-pods.ts'
import { at } from '../../domain/at.ts'
import { pod } from '../../fakes/cluster.ts'
import { failure } from '../failure.ts'

const container = (name: string, port?: number) => ({
  name,
  ports: port === undefined ? [] : [{ containerPort: port }],
})

const podWith = (more: {
  readonly containers?: readonly unknown[]
  readonly initContainers?: readonly unknown[]
  readonly phase?: string
  readonly owner?: string
  readonly labels?: Readonly<Record<string, string>>
}): V1Pod => {
  const { containers = [container('app')], initContainers = [], phase = 'Running', owner, labels = {} } = more
  return pod('ci', 'it', {
    metadata: {
      name: 'it',
      namespace: 'ci',
      labels,
      ...(owner === undefined ? {} : { ownerReferences: [{ apiVersion: 'v1', kind: owner, name: 'o', uid: 'u' }] }),
    },
    spec: { containers, initContainers },
    status: { phase },
  }) as unknown as V1Pod
}

test.each<[string, V1Pod, boolean]>([
  ['an application', podWith({}), true],
  ['one of a replica set', podWith({ owner: 'ReplicaSet' }), true],
  ['one that has not started', podWith({ phase: 'Pending' }), true],
  ['one of a Job, which is not restarted', podWith({ owner: 'Job' }), false],
  ['one that is over', podWith({ phase: 'Succeeded' }), false],
  ['one that failed', podWith({ phase: 'Failed' }), false],
  ['one with a proxy', podWith({ containers: [container('app'), container('istio-proxy')] }), false],
  ['one with a native sidecar', podWith({ initContainers: [container('istio-proxy')] }), false],
])('without a proxy of its own: %s', (_, one, expected) =>
  expect(podsWithoutProxy([one])).toEqual(expected ? ['it'] : []),
)

const BUILDER = { key: 'builder', value: 'yes' }
const taken = { containers: [container('app'), container('other', 5000)] }

test.each<[string, V1Pod, typeof BUILDER | undefined, boolean]>([
  ['declares the port', podWith(taken), undefined, true],
  ['declares it in an init container', podWith({ initContainers: [container('init', 5000)] }), undefined, true],
  [
    'declares it in one of its ports',
    podWith({ containers: [{ name: 'app', ports: [{ containerPort: 80 }, { containerPort: 5000 }] }] }),
    undefined,
    true,
  ],
  ['declares another', podWith({ containers: [container('app', 5001)] }), undefined, false],
  ['is over', podWith({ ...taken, phase: 'Succeeded' }), undefined, false],
  ['is not among the pods that get the listener', podWith(taken), BUILDER, false],
  ['has the label with another value', podWith({ ...taken, labels: { builder: 'no' } }), BUILDER, false],
  ['is among the pods that get the listener', podWith({ ...taken, labels: { builder: 'yes' } }), BUILDER, true],
])('a pod that %s', (_, one, label, refused) => {
  const check = () => checkPods(at, 'ci', [one], label)
  if (!refused) return check()
  expect(check).toThrow(failure('PORT_IN_PODS', 4, 'port 5000 is used by pod it of namespace "ci" itself'))
})

test('the way out depends on whether a label was given', () => {
  const suggestion = (label: typeof BUILDER | undefined) => {
    try {
      checkPods(at, 'ci', [podWith({ ...taken, labels: { builder: 'yes' } })], label)
    } catch (error) {
      return (error as { suggestions: readonly string[] }).suggestions[0]
    }
  }
  expect(suggestion(undefined)).toMatch(/^add --pods KEY=VALUE/)
  expect(suggestion(BUILDER)).toMatch(/^choose a --pods label those pods do not carry/)
})
