import { expect, test } from 'vitest'
import { type InjectionState, injectionLabel, injectionOf } from '../../../src/domain/stack/injection.ts'

type Labels = Readonly<Record<string, string>>

test.each<[Labels, string | undefined, InjectionState]>([
  [{}, undefined, 'off'],
  [{ team: 'a' }, 'canary', 'off'],
  [{ 'istio-injection': 'enabled' }, undefined, 'on'],
  [{ 'istio-injection': 'enabled', 'istio.io/rev': 'old' }, undefined, 'on'],
  [{ 'istio-injection': 'disabled' }, undefined, 'opted-out'],
  [{ 'istio-injection': 'disabled', 'istio.io/rev': 'canary' }, 'canary', 'opted-out'],
  [{ 'istio.io/rev': 'default' }, undefined, 'on'],
  [{ 'istio.io/rev': 'canary' }, 'canary', 'on'],
  [{ 'istio.io/rev': 'canary' }, undefined, 'other-revision'],
  [{ 'istio.io/rev': 'old' }, 'canary', 'other-revision'],
  [{ 'istio.io/dataplane-mode': 'ambient' }, undefined, 'ambient'],
  [{ 'istio.io/dataplane-mode': 'none' }, undefined, 'off'],
  [{ 'istio.io/dataplane-mode': 'ambient', 'istio-injection': 'enabled' }, undefined, 'on'],
])('%o with revision %s is %s', (labels, revision, state) => expect(injectionOf(labels, revision)).toBe(state))

test('the label is the mesh’s own, or the revision’s', () => {
  expect(injectionLabel(undefined)).toEqual({ 'istio-injection': 'enabled' })
  expect(injectionLabel('canary')).toEqual({ 'istio.io/rev': 'canary' })
})
