import { describe, expect, test } from 'vitest'
import { inApplyOrder } from '../../src/domain/kinds.ts'
import { describeRef, type KubeObject, refKey, refOf } from '../../src/domain/kube-object.ts'
import { changeOf, comparable } from '../../src/domain/plan.ts'

const WANTED: KubeObject = {
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'x', namespace: 'n' },
  data: { a: '1' },
}
const LIVE: KubeObject = {
  ...WANTED,
  metadata: {
    ...WANTED.metadata,
    uid: 'u',
    resourceVersion: '7',
    generation: 2,
    creationTimestamp: 'then',
    managedFields: [],
  },
  status: { ready: true },
}

test('comparable leaves out what the server keeps for itself', () => expect(comparable(LIVE)).toEqual(WANTED))

describe('changeOf', () => {
  const ref = refOf(WANTED)
  const relabelled = { ...WANTED, metadata: { ...WANTED.metadata, labels: { a: 'b' } } }
  test.each<[string, KubeObject | undefined, KubeObject, string]>([
    ['nothing there', undefined, WANTED, 'create'],
    ['the same', LIVE, { ...WANTED, status: {} }, 'unchanged'],
    ['other data', LIVE, { ...WANTED, data: { a: '2' } }, 'update'],
    ['another label', LIVE, relabelled, 'update'],
    ['one field less', { ...LIVE, more: 1 }, WANTED, 'update'],
  ])('%s', (_, live, wanted, action) => expect(changeOf(ref, live, wanted).action).toBe(action))

  test('carries both sides, and none of the server’s own fields', () => {
    expect(changeOf(ref, LIVE, WANTED)).toEqual({ ref, action: 'unchanged', before: WANTED, after: WANTED })
  })
})

test('objects are applied policies first, what serves last, and otherwise in the order given', () => {
  const kinds = [
    'DaemonSet',
    'Deployment',
    'Service',
    'AuthorizationPolicy',
    'Secret',
    'Namespace',
    'PersistentVolumeClaim',
  ]
  expect(inApplyOrder(kinds.map((kind) => ({ kind }))).map(({ kind }) => kind)).toEqual([
    'Namespace',
    'Secret',
    'AuthorizationPolicy',
    'PersistentVolumeClaim',
    'Service',
    'Deployment',
    'DaemonSet',
  ])
  const two = [
    { kind: 'Service', n: 2 },
    { kind: 'Service', n: 1 },
  ]
  expect(inApplyOrder(two)).toEqual(two)
})

test('an object has one key, whatever version served it', () => {
  const ref = { apiVersion: 'networking.istio.io/v1', kind: 'Sidecar', namespace: 'n', name: 'x' }
  expect(refKey({ ...ref, apiVersion: 'networking.istio.io/v1beta1' })).toBe(refKey(ref))
  expect(refKey({ ...ref, namespace: 'm' })).not.toBe(refKey(ref))
  expect(describeRef(ref)).toBe('Sidecar n/x')
  expect(describeRef({ apiVersion: 'v1', kind: 'Namespace', name: 'n' })).toBe('Namespace n')
})
