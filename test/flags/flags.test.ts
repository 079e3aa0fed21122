import { describe, expect, test } from 'vitest'
import { podLabel } from '../../src/flags/grant.ts'
import { givenSettings } from '../../src/flags/settings.ts'

const NONE = {
  'developer-ingress': false,
  'no-developer-ingress': false,
  'no-developer-ingress-type': false,
  'no-revision': false,
  'no-storage': false,
  'no-storage-class': false,
  'no-size': false,
  'no-image': false,
  'no-istio-version': false,
  'no-node-proxy': false,
}

describe('settings as given', () => {
  test('a flag that is not there keeps what was', () => expect(givenSettings(NONE)).toEqual({}))

  test.each([
    [{ port: 5001 }, { port: 5001 }],
    [{ revision: 'canary' }, { revision: 'canary' }],
    [{ storage: 'emptydir' }, { storage: 'emptydir' }],
    [{ 'storage-class': 'fast' }, { storageClass: 'fast' }],
    [{ size: '1Gi' }, { size: '1Gi' }],
    [{ image: 'x' }, { image: 'x' }],
    [{ 'istio-version': '1.30' }, { istioVersion: '1.30' }],
    [{ 'publish-local-registry': true }, { publishLocalRegistry: true }],
    [{ 'publish-local-registry': false }, { publishLocalRegistry: null }],
    [{ 'developer-ingress': true }, { developerIngress: true }],
    [{ 'developer-ingress-type': 'NodePort' }, { developerIngress: true, developerIngressType: 'NodePort' }],
    [{ 'no-developer-ingress': true }, { developerIngress: null, developerIngressType: null }],
    [{ 'no-developer-ingress-type': true }, { developerIngressType: null }],
    [{ 'no-revision': true }, { revision: null }],
    [{ 'no-storage': true }, { storage: null }],
    [{ 'no-storage-class': true }, { storageClass: null }],
    [{ 'no-size': true }, { size: null }],
    [{ 'no-image': true }, { image: null }],
    [{ 'no-istio-version': true }, { istioVersion: null }],
    [{ 'node-proxy': 'gateway' }, { nodeProxy: 'gateway' }],
    [{ 'node-proxy': 'sidecar' }, { nodeProxy: null }],
    [{ 'no-node-proxy': true }, { nodeProxy: null }],
  ])('%j', (flags, given) => expect(givenSettings({ ...NONE, ...flags })).toEqual(given))

  test.each(['revision', 'storage', 'storage-class', 'size', 'image', 'istio-version', 'node-proxy'])(
    '--%s with its --no form',
    (name) => {
      expect(() => givenSettings({ ...NONE, [name]: 'x', [`no-${name}`]: true })).toThrow(
        expect.objectContaining({ code: 'BOTH_FLAGS', oclif: { exit: 2 } }),
      )
    },
  )

  test.each(['developer-ingress', 'developer-ingress-type'])('--%s with --no-developer-ingress', (name) => {
    const flags = { ...NONE, [name]: name === 'developer-ingress' ? true : 'NodePort', 'no-developer-ingress': true }
    expect(() => givenSettings(flags)).toThrow(expect.objectContaining({ code: 'BOTH_FLAGS' }))
  })
})

test.each([
  ['regctl.dev/builder=true', { key: 'regctl.dev/builder', value: 'true' }],
  ['builder=', { key: 'builder', value: '' }],
  ['A_b.c-d=1', { key: 'A_b.c-d', value: '1' }],
])('%s is a label', (text, label) => expect(podLabel(text)).toEqual(label))

test.each([
  'builder',
  '=yes',
  'a b=c',
  'a=b c',
  'a=b=c',
  '-a=b',
  'a=-b',
  'UPPER.example/a=b',
  'a/b/c=d',
  `a=${'x'.repeat(64)}`,
])('%j is none', (text) =>
  expect(() => podLabel(text)).toThrow(expect.objectContaining({ code: 'INVALID_LABEL', oclif: { exit: 2 } })),
)
