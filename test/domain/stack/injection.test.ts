import { expect, test } from 'vitest'
import {
  type InjectionState,
  injectionChange,
  injectionLabel,
  injectionOf,
} from '../../../src/domain/stack/injection.ts'

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

test.each<[Labels, string | undefined, Labels, Labels]>([
  [{}, undefined, { 'istio-injection': 'enabled' }, {}],
  [{ 'istio-injection': 'disabled' }, undefined, { 'istio-injection': 'enabled' }, { 'istio-injection': 'disabled' }],
  [{ 'istio.io/rev': 'old' }, undefined, { 'istio-injection': 'enabled' }, {}],
  [{ 'istio.io/rev': 'old' }, 'canary', { 'istio.io/rev': 'canary' }, { 'istio.io/rev': 'old' }],
  [{ 'istio-injection': 'disabled' }, 'canary', { 'istio.io/rev': 'canary' }, { 'istio-injection': 'disabled' }],
])('%o with revision %s gets %o, and %o gives way', (present, revision, labels, replaced) => {
  expect(injectionChange(present, revision)).toEqual({ labels, replaced })
  const gone = Object.keys(replaced)
  const after = { ...Object.fromEntries(Object.entries(present).filter(([key]) => !gone.includes(key))), ...labels }
  expect(injectionOf(after, revision)).toBe('on')
})
