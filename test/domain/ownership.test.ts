import { describe, expect, test } from 'vitest'
import type { KubeObject } from '../../src/domain/kube-object.ts'
import { belongsTo, statesIn } from '../../src/domain/ownership.ts'
import { at } from './at.ts'

const OURS = { 'regctl.dev/installation': at.namespace }

const object = (
  kind: string,
  namespace: string | undefined,
  name: string,
  labels: Record<string, string>,
): KubeObject => ({
  apiVersion: 'v1',
  kind,
  metadata: { name, labels, ...(namespace === undefined ? {} : { namespace }) },
})

describe('an object with the label', () => {
  test.each<[string, boolean, KubeObject]>([
    ['in the namespace of the registry', true, object('Service', 'kube-registry', 'x', OURS)],
    ['in that of the node proxy', true, object('DaemonSet', 'kube-registry-node', 'x', OURS)],
    ['of the whole cluster', true, object('ValidatingAdmissionPolicy', undefined, 'x', OURS)],
    ['a listener of a granted namespace', true, object('Sidecar', 'ci', 'x', { ...OURS, 'regctl.dev/grant': 'ci' })],
    ['anything else of a granted namespace', false, object('Secret', 'ci', 'x', { ...OURS, 'regctl.dev/grant': 'ci' })],
    ['a Sidecar that no grant made', false, object('Sidecar', 'ci', 'x', OURS)],
    ['a Deployment of somebody', false, object('Deployment', 'ci', 'x', OURS)],
    ['an ALLOW in the root namespace', false, object('AuthorizationPolicy', 'istio-system', 'x', OURS)],
    ['what tells of the registry', true, object('ConfigMap', 'kube-public', 'local-registry-hosting', OURS)],
    ['another ConfigMap there', false, object('ConfigMap', 'kube-public', 'cluster-info', OURS)],
    ['its name elsewhere', false, object('ConfigMap', 'ci', 'local-registry-hosting', OURS)],
    ['another installation', false, object('Service', 'kube-registry', 'x', { 'regctl.dev/installation': 'other' })],
  ])('%s is ours: %s', (_, expected, one) => expect(belongsTo(at, one)).toBe(expected))
})

test('an installation is where the namespace says so too, which its users cannot', () => {
  const state = (namespace: string) =>
    object('ConfigMap', namespace, 'regctl', { 'regctl.dev/installation': namespace })
  const namespaces = [object('Namespace', undefined, 'real', { 'regctl.dev/installation': 'real' })]
  const copied = object('ConfigMap', 'forged', 'regctl', { 'regctl.dev/installation': 'real' })
  const other = object('ConfigMap', 'real', 'settings', { 'regctl.dev/installation': 'real' })
  expect(statesIn([state('forged'), copied, other, state('real')], namespaces)).toEqual([state('real')])
  const node = object('Namespace', undefined, 'real-node', { 'regctl.dev/installation': 'real' })
  expect(
    statesIn([object('ConfigMap', 'real-node', 'regctl', { 'regctl.dev/installation': 'real-node' })], [node]),
  ).toEqual([])
})
