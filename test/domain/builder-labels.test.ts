import { describe, expect, test } from 'vitest'
import { labelling, unlabelling } from '../../src/domain/builder.ts'
import type { KubeObject, Metadata } from '../../src/domain/kube-object.ts'
import { injectionOf } from '../../src/domain/stack/injection.ts'

const ON = { 'istio-injection': 'enabled' }

const namespace = (metadata: Partial<Metadata>): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name: 'ci', ...metadata },
})

/** What a merge patch makes of it. */
function patched(object: KubeObject, patch: Readonly<Record<string, unknown>> | undefined): KubeObject {
  const merged = (field: 'labels' | 'annotations') => {
    const all = { ...object.metadata[field], ...((patch?.[field] ?? {}) as Record<string, string | null>) }
    return Object.fromEntries(Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== null))
  }
  return namespace({ labels: merged('labels'), annotations: merged('annotations') })
}

describe('the labels of a granted namespace', () => {
  test.each([
    ['that had none', {}],
    ['that had others', { team: 'a' }],
    ['that was opted out', { 'istio-injection': 'disabled', team: 'a' }],
  ])('%s are afterwards as before', (_, labels) => {
    const before = namespace({ labels, annotations: {} })
    const granted = patched(before, labelling(before, ON))
    expect(granted.metadata.labels).toEqual({ ...labels, ...ON })
    expect(patched(granted, unlabelling(granted))).toEqual(before)
  })

  test.each([
    ['the opt-out', { 'istio-injection': 'disabled' }],
    ['another revision', { 'istio.io/rev': 'old', team: 'a' }],
  ])('give way to a revision: %s', (_, labels) => {
    const before = namespace({ labels, annotations: {} })
    const granted = patched(before, labelling(before, { 'istio.io/rev': 'canary' }))
    expect(injectionOf(granted.metadata.labels ?? {}, 'canary')).toBe('on')
    expect(patched(granted, unlabelling(granted))).toEqual(before)
  })

  test('that somebody changed since stay', () => {
    const before = namespace({ labels: {}, annotations: {} })
    const granted = patched(before, labelling(before, ON))
    const changed = namespace({ ...granted.metadata, labels: { 'istio-injection': 'disabled' } })
    expect(patched(changed, unlabelling(changed)).metadata).toMatchObject({
      labels: { 'istio-injection': 'disabled' },
      annotations: {},
    })
  })

  test('that regctl did not put there are not its to take off', () => {
    expect(unlabelling(namespace({ labels: ON }))).toBeUndefined()
  })

  test.each([
    ['no JSON', '{'],
    ['no object', 'null'],
    ['a label of PodSecurity', '{"pod-security.kubernetes.io/enforce":"restricted"}'],
  ])('are taken off by name, not by what an annotation says: %s', (_, text) => {
    const labels = { 'pod-security.kubernetes.io/enforce': 'restricted' }
    const forged = namespace({ labels, annotations: { 'regctl.dev/added-labels': text } })
    expect(patched(forged, unlabelling(forged)).metadata.labels).toEqual(labels)
  })
})
