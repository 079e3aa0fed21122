import type { V1PodTemplateSpec } from '@kubernetes/client-node'
import { describe, expect, test } from 'vitest'
import type { KubeObject } from '../../../src/domain/kube-object.ts'
import { DEFAULTS } from '../../../src/domain/settings.ts'
import { placed, registryObjects, withPort } from '../../../src/domain/stack/registry.ts'
import { at } from '../at.ts'
import { find, MESH, shipped, stackWith, type Wanted } from './mesh-as-installed.ts'

const podOf = (wanted: Wanted = {}) =>
  (find(stackWith(wanted), 'Deployment', 'kube-registry').spec as { template: V1PodTemplateSpec }).template

const annotation = (wanted: Wanted, key: string) => podOf(wanted).metadata?.annotations?.[key] ?? ''
const home = (wanted: Wanted) => find(stackWith(wanted), 'Namespace', 'kube-registry').metadata.labels

describe('the pod', () => {
  test('has one image for the gate and the registry', () => {
    const { initContainers = [], containers = [] } = podOf({ settings: { image: 'example.org/registry:3' } }).spec ?? {}
    expect([...initContainers, ...containers].map(({ name, image }) => [name, image])).toEqual([
      ['policies-in-force', 'example.org/registry:3'],
      ['registry', 'example.org/registry:3'],
    ])
  })

  test('is no root and can write to its data alone', () => {
    const { initContainers = [], containers = [], automountServiceAccountToken } = podOf().spec ?? {}
    expect(automountServiceAccountToken).toBe(false)
    for (const { securityContext } of [...initContainers, ...containers])
      expect(securityContext).toMatchObject({
        runAsNonRoot: true,
        readOnlyRootFilesystem: true,
        allowPrivilegeEscalation: false,
        capabilities: { drop: ['ALL'] },
      })
  })

  test('starts anew when its configuration changes, and only then', () => {
    const hash = (wanted: Wanted) => annotation(wanted, 'regctl.dev/config')
    expect(hash({})).toMatch(/^[0-9a-f]{12}$/)
    expect(hash({})).toBe(hash({ settings: { size: '1Gi' } }))
    expect(hash({ at: { port: 5001 }, settings: { port: 5001 } })).not.toBe(hash({}))
  })

  test('keeps its data in the claim or, on emptydir, in itself', () => {
    const volumes = (wanted: Wanted) => podOf(wanted).spec?.volumes
    const config = { name: 'config', configMap: { name: 'registry-config' } }
    expect(volumes({})).toEqual([config, { name: 'data', persistentVolumeClaim: { claimName: 'registry-data' } }])
    expect(volumes({ settings: { storage: 'emptydir' } })).toEqual([config, { name: 'data', emptyDir: {} }])
  })

  test('is injected by the revision, and never ambient', () => {
    expect(podOf().metadata?.labels).toEqual({
      app: 'kube-registry',
      'sidecar.istio.io/inject': 'true',
      'istio.io/dataplane-mode': 'none',
    })
    expect(podOf({ settings: { revision: 'canary' } }).metadata?.labels).toMatchObject({ 'istio.io/rev': 'canary' })
    expect(home({ settings: { revision: 'canary' } })).toMatchObject({ 'istio.io/rev': 'canary' })
    expect(home({ settings: { revision: 'canary' } })).not.toHaveProperty('istio-injection')
    expect(home({})).toHaveProperty('istio-injection', 'enabled')
  })
})

describe('its proxy', () => {
  const config = (wanted: Wanted) => JSON.parse(annotation(wanted, 'proxy.istio.io/config')) as Record<string, unknown>

  test('ends with the pod, after the registry', () => {
    expect(annotation({}, 'sidecar.istio.io/nativeSidecar')).toBe('true')
  })

  test('drains for half an hour and asks probes on loopback', () => {
    expect(config({})).toMatchObject({
      holdApplicationUntilProxyStarts: true,
      drainDuration: '1800s',
      proxyMetadata: { METRICS_LOCALHOST_ACCESS_ONLY: 'true', REWRITE_PROBE_LEGACY_LOCALHOST_DESTINATION: 'true' },
    })
  })

  test('hardens paths itself where Istio can, else a filter does the same', () => {
    expect(config({}).connectionSettings).toEqual({
      httpMergeSlashes: true,
      httpPathWithEscapedSlashesAction: 'REJECT_REQUEST',
      httpIdleTimeout: '3s',
    })
    expect(config({ mesh: { connectionSettings: false } })).not.toHaveProperty('connectionSettings')
  })
})

test('PodSecurity lets in what the mesh needs and no more', () => {
  const level = (cni: boolean) => home({ mesh: { cni } })?.['pod-security.kubernetes.io/enforce']
  expect([level(false), level(true)]).toEqual(['privileged', 'baseline'])
})

test('the claim has the size, and a class only where one was given', () => {
  const spec = (settings: Wanted['settings']) =>
    find(stackWith({ settings: settings ?? {} }), 'PersistentVolumeClaim', 'registry-data').spec
  expect(spec({ size: '1Gi' })).toEqual({ accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } })
  expect(spec({ storageClass: 'fast' })).toMatchObject({ storageClassName: 'fast' })
})

test('the registry listens on loopback alone', () => {
  const { data } = find(stackWith({ at: { port: 5001 } }), 'ConfigMap', 'registry-config')
  expect((data as Record<string, string>)['config.yml']).toMatch(/^ {2}addr: 127\.0\.0\.1:5001$/m)
})

test('only the shipped namespaces are moved', () => {
  const moved = (kind: string, name: string, namespace?: string) => {
    const metadata = namespace === undefined ? { name } : { name, namespace }
    return placed({ ...at, namespace: 'images' }, { apiVersion: 'v1', kind, metadata }).metadata
  }
  expect(Object.keys(moved('Namespace', 'kube-registry'))).toEqual(['name', 'labels'])
  expect(moved('Namespace', 'kube-registry').name).toBe('images')
  expect(moved('Namespace', 'kube-registry-node').name).toBe('images-node')
  expect(moved('Namespace', 'kube-registry-more').name).toBe('kube-registry-more')
  expect(moved('Service', 'kube-registry', 'kube-registry')).toMatchObject({
    name: 'kube-registry',
    namespace: 'images',
  })
  expect(moved('Service', 'x', 'kube-registry-node').namespace).toBe('images-node')
})

test('the port is replaced wherever it stands as a number', () => {
  const before = { port: 5000, deep: [{ targetPort: 5000 }, null, '5000', 50_000], other: 80 }
  expect(withPort(before, 5001)).toEqual({ port: 5001, deep: [{ targetPort: 5001 }, null, '5000', 50_000], other: 80 })
})

test('a Deployment without a pod is a mistake in what is shipped', () => {
  const broken: KubeObject[] = shipped.registry.map((object) =>
    object.kind === 'Deployment' ? { ...object, spec: { template: {} } } : object,
  )
  expect(() => registryObjects(at, DEFAULTS, MESH, broken)).toThrow('the Deployment has no pod')
})
