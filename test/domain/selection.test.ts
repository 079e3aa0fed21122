import { expect, test } from 'vitest'
import { selects } from '../../src/domain/selection.ts'

const LABELS = { app: 'kube-registry', 'istio.io/dataplane-mode': 'none', 'pod-template-hash': 'abc' }

test.each<[string, boolean, object | undefined]>([
  ['no spec', true, undefined],
  ['no selector', true, {}],
  ['the pod by its label', true, { selector: { matchLabels: { app: 'kube-registry' } } }],
  ['another of its labels', true, { selector: { matchLabels: { 'istio.io/dataplane-mode': 'none' } } }],
  ['two of its labels', true, { workloadSelector: { labels: { app: 'kube-registry', 'pod-template-hash': 'abc' } } }],
  ['a label that istiod adds', true, { selector: { matchLabels: { 'topology.istio.io/cluster': 'Kubernetes' } } }],
  ['another value', false, { selector: { matchLabels: { app: 'web' } } }],
  ['one label more than it has', false, { workloadSelector: { labels: { app: 'kube-registry', tier: 'x' } } }],
  ['a Gateway', false, { targetRefs: [{ kind: 'Gateway', name: 'public' }] }],
  ['a Gateway, in the older field', false, { targetRef: { kind: 'Gateway', name: 'public' } }],
])('%s: %s', (_, expected, spec) =>
  expect(selects({ apiVersion: 'v1', kind: 'X', metadata: { name: 'x' }, ...(spec ? { spec } : {}) }, LABELS)).toBe(
    expected,
  ),
)
