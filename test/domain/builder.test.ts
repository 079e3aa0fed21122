import { describe, expect, test } from 'vitest'
import {
  builderSidecar,
  builderSidecarName,
  hasListener,
  isOwnSidecar,
  withListener,
  withoutListener,
} from '../../src/domain/builder.ts'
import { at } from './at.ts'

const loopback = {
  port: { number: 5000, protocol: 'TCP', name: 'tcp-registry' },
  bind: '127.0.0.1',
  captureMode: 'NONE',
  hosts: ['kube-registry/kube-registry.kube-registry.svc.cluster.local'],
}
const OTHER = { hosts: ['./*'] }

describe('the Sidecar of a builder', () => {
  test('leaves all of the mesh reachable where no default says otherwise', () => {
    expect(builderSidecar(at, 'ci', undefined, undefined)).toEqual({
      apiVersion: 'networking.istio.io/v1',
      kind: 'Sidecar',
      metadata: {
        name: 'regctl-localhost',
        namespace: 'ci',
        labels: {
          'app.kubernetes.io/managed-by': 'regctl',
          'regctl.dev/installation': 'kube-registry',
          'regctl.dev/grant': 'ci',
        },
      },
      spec: { egress: [loopback, { hosts: ['*/*'] }] },
    })
  })

  test('is for the labelled pods, whatever the default selects', () => {
    const { spec } = builderSidecar(
      at,
      'ci',
      { key: 'k', value: 'v' },
      { workloadSelector: { labels: { a: 'b' } }, egress: [OTHER] },
    )
    expect(spec).toEqual({ workloadSelector: { labels: { k: 'v' } }, egress: [loopback, OTHER] })
  })

  test('keeps everything else the default says', () => {
    const policy = { outboundTrafficPolicy: { mode: 'REGISTRY_ONLY' } }
    expect(builderSidecar(at, 'ci', undefined, { ...policy, egress: [OTHER] }).spec).toEqual({
      ...policy,
      egress: [loopback, OTHER],
    })
    expect(builderSidecar(at, 'ci', undefined, policy).spec).toEqual({
      ...policy,
      egress: [loopback, { hosts: ['*/*'] }],
    })
  })

  test('follows port, namespace and domain', () => {
    const { spec } = builderSidecar(
      { namespace: 'images', port: 5001, clusterDomain: 'example.org' },
      'ci',
      undefined,
      undefined,
    )
    expect(spec).toMatchObject({
      egress: [{ port: { number: 5001 }, hosts: ['images/kube-registry.images.svc.example.org'] }, {}],
    })
  })

  test('has a name of its own for each label', () => {
    const name = (key: string, value: string) => builderSidecarName({ key, value })
    expect(name('a', 'b')).toMatch(/^regctl-localhost-[0-9a-f]{8}$/)
    expect(new Set([name('a', 'b'), name('a', 'c'), name('b', 'b'), builderSidecarName(undefined)]).size).toBe(4)
    expect(name('a', 'b')).toBe(name('a', 'b'))
  })
})

describe('a listener in a Sidecar of others', () => {
  test.each([
    ['ours', { egress: [OTHER, loopback] }, true],
    ['none', { egress: [OTHER] }, false],
    ['on another port', { egress: [{ ...loopback, port: { number: 5001 } }] }, false],
    ['on another address', { egress: [{ ...loopback, bind: '127.0.0.2' }] }, false],
    ['without egress', {}, false],
  ])('%s', (_, spec, expected) => expect(hasListener(at, spec)).toBe(expected))

  test('goes in first and out again', () => {
    const spec = { egress: [OTHER], outboundTrafficPolicy: { mode: 'ALLOW_ANY' } }
    expect(withListener(at, spec)).toEqual({ ...spec, egress: [loopback, OTHER] })
    expect(withoutListener(at, withListener(at, spec))).toEqual(spec)
    expect(withListener(at, {})).toEqual({ egress: [loopback, { hosts: ['*/*'] }] })
    expect(withoutListener(at, {})).toEqual({ egress: [] })
  })
})

test('ours carries the label of any installation', () => {
  const sidecar = builderSidecar({ ...at, namespace: 'images' }, 'ci', undefined, undefined)
  expect(isOwnSidecar(sidecar)).toBe(true)
  expect(isOwnSidecar({ ...sidecar, metadata: { name: 'x' } })).toBe(false)
})
