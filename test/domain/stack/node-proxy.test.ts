import type { V1DaemonSet } from '@kubernetes/client-node'
import { describe, expect, test } from 'vitest'
import { customaryLabels } from '../../../src/domain/stack/gateway-admission.ts'
import { nodeProxy, nodeProxyOf, nodeSidecar, templatePod } from '../../../src/domain/stack/node-proxy.ts'
import { at } from '../at.ts'
import { template } from './mesh-as-installed.ts'

type Container = (typeof template)['container']

function podOf(more: Partial<Container> = {}, place = at) {
  const made = nodeProxy(place, {
    ...template,
    container: { ...template.container, ...more },
  }) as unknown as V1DaemonSet
  const { metadata, spec } = made.spec?.template ?? {}
  const [container] = spec?.containers ?? []
  if (spec === undefined || container === undefined) throw new Error('no container')
  return { metadata, spec, container }
}

const envOf = (container: Container) =>
  Object.fromEntries((container.env ?? []).map(({ name, value }) => [name, value]))

describe('the pod on a node', () => {
  test('is on the host network, everywhere, and outlives others', () => {
    expect(podOf().spec).toMatchObject({
      hostNetwork: true,
      dnsPolicy: 'ClusterFirstWithHostNet',
      priorityClassName: 'system-node-critical',
      tolerations: [{ operator: 'Exists' }],
      automountServiceAccountToken: false,
      serviceAccountName: 'registry-node',
    })
  })

  test('is never injected, nor ambient', () => {
    expect(podOf().metadata?.labels).toEqual({
      app: 'registry-node',
      'sidecar.istio.io/inject': 'false',
      'istio.io/dataplane-mode': 'none',
    })
  })

  test('gives way before the next one comes, for both want the port', () => {
    const { spec } = nodeProxy(at, template) as unknown as V1DaemonSet
    expect(spec?.updateStrategy).toEqual({ type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 1 } })
  })
})

describe('its container', () => {
  test('is the mesh’s own, as a sidecar', () => {
    const { container } = podOf()
    expect([container.name, container.image]).toEqual(['istio-proxy', 'docker.io/istio/proxyv2:1.31.0'])
    expect(container.args?.slice(0, 2)).toEqual(['proxy', 'sidecar'])
    expect(container.args).not.toContain('router')
    expect(container.volumeMounts).toEqual(template.container.volumeMounts)
  })

  test('declares the port, so that the node gives it to nobody else, and no other', () => {
    expect(podOf().container.ports).toEqual([
      { name: 'registry', containerPort: 5000, hostPort: 5000, protocol: 'TCP' },
    ])
    const { container } = podOf({}, { ...at, port: 5001 })
    expect(container.ports?.[0]).toMatchObject({ containerPort: 5001, hostPort: 5001 })
    expect(container.livenessProbe?.tcpSocket).toEqual({ host: '127.0.0.1', port: 5001 })
  })

  test('is alive while the port takes connections', () => {
    expect(podOf().container.livenessProbe?.tcpSocket).toEqual({ host: '127.0.0.1', port: 5000 })
  })

  test('has no root, no capability and a read-only file system, whatever the injector gave', () => {
    expect(
      podOf({ securityContext: { privileged: true, capabilities: { add: ['NET_ADMIN'] } } }).container.securityContext,
    ).toEqual({
      runAsNonRoot: true,
      runAsUser: 1337,
      runAsGroup: 1337,
      readOnlyRootFilesystem: true,
      allowPrivilegeEscalation: false,
      privileged: false,
      capabilities: { drop: ['ALL'] },
    })
  })

  test('has none of the hooks and probes of a gateway', () => {
    const { container } = podOf({ lifecycle: { preStop: {} }, startupProbe: {}, stdin: true, tty: true })
    for (const key of ['lifecycle', 'startupProbe', 'stdin', 'tty']) expect(container).not.toHaveProperty(key)
  })

  test('keeps away from the ports of sidecars', () => {
    const { container } = podOf()
    const config = JSON.parse(envOf(container).PROXY_CONFIG ?? '') as Record<string, unknown>
    const ports = [
      config.proxyAdminPort,
      config.statusPort,
      Number(envOf(container).ENVOY_STATUS_PORT),
      Number(envOf(container).ENVOY_PROMETHEUS_PORT),
    ]
    expect(ports).toEqual([15_900, 15_920, 15_921, 15_922])
    for (const used of [15_000, 15_001, 15_004, 15_006, 15_020, 15_021, 15_053, 15_090])
      expect(ports).not.toContain(used)
    expect(container.readinessProbe?.httpGet?.port).toBe(ports[2])
  })

  test('has each variable once, ours before the injector’s', () => {
    const { container } = podOf()
    const names = (container.env ?? []).map(({ name }) => name)
    expect(new Set(names).size).toBe(names.length)
    expect(envOf(container)).toMatchObject({
      ISTIO_META_INTERCEPTION_MODE: 'NONE',
      ISTIO_META_WORKLOAD_NAME: 'registry-node',
      ISTIO_META_OWNER: 'kubernetes://apis/apps/v1/namespaces/kube-registry-node/daemonsets/registry-node',
      METRICS_LOCALHOST_ACCESS_ONLY: 'true',
      CA_ADDR: 'istiod.istio-system.svc:15012',
    })
  })

  test('keeps the mesh’s own proxy settings', () => {
    const mesh = { discoveryAddress: 'istiod.mesh:15012', proxyMetadata: { A: 'b' } }
    const { container } = podOf({ env: [{ name: 'PROXY_CONFIG', value: JSON.stringify(mesh) }] })
    expect(JSON.parse(envOf(container).PROXY_CONFIG ?? '')).toMatchObject({
      discoveryAddress: 'istiod.mesh:15012',
      proxyMetadata: { A: 'b', METRICS_LOCALHOST_ACCESS_ONLY: 'true' },
    })
    const bare = envOf(podOf({ env: [], args: [] }).container)
    expect(JSON.parse(bare.PROXY_CONFIG ?? '')).toMatchObject({
      proxyMetadata: { METRICS_LOCALHOST_ACCESS_ONLY: 'true' },
    })
  })
})

describe('as a gateway', () => {
  const asGateway = () => podOf({}, { ...at, nodeGateway: true })
  const NAMES = ['args', 'env', 'readinessProbe'] as const

  test('it is what the mesh’s injector made, a router', () => {
    expect(asGateway().container.args).toEqual(template.container.args)
    expect(asGateway().container.args).toContain('router')
  })

  test('it differs in nothing else but its labels and the address it tells', () => {
    const { container, metadata, spec } = asGateway()
    const usual = podOf()
    const without = (one: Container) =>
      Object.fromEntries(Object.entries(one).filter(([key]) => !NAMES.includes(key as never)))
    expect(without(container)).toEqual(without(usual.container))
    expect({ ...spec, containers: [] }).toEqual({ ...usual.spec, containers: [] })
    expect(metadata?.labels).toEqual({ ...customaryLabels('registry-node'), ...usual.metadata?.labels })
    expect(envOf(container)).toEqual({ ...envOf(usual.container), INSTANCE_IP: '192.0.2.1' })
    // The kubelet would ask the node's address otherwise, of whichever family.
    expect(container.readinessProbe?.httpGet).toMatchObject({ host: '127.0.0.1', port: 15_921 })
  })

  test('it can be told from a sidecar', () => {
    expect(nodeProxyOf(nodeProxy(at, template))).toBe('sidecar')
    expect(nodeProxyOf(nodeProxy({ ...at, nodeGateway: true }, template))).toBe('gateway')
  })
})

test('its Sidecar has one listener and nothing of the rest of the mesh', () => {
  const { spec, metadata } = nodeSidecar(at)
  expect(metadata.namespace).toBe('kube-registry-node')
  expect(spec).toEqual({
    workloadSelector: { labels: { app: 'registry-node' } },
    egress: [
      {
        port: { number: 5000, protocol: 'TCP', name: 'tcp-registry' },
        bind: '127.0.0.1',
        captureMode: 'NONE',
        hosts: ['kube-registry/kube-registry.kube-registry.svc.cluster.local'],
      },
    ],
  })
})

test('the pod for the injector asks for a gateway, of the revision that is used', () => {
  const { metadata, spec } = templatePod('default', undefined)
  expect(metadata).toMatchObject({
    namespace: 'default',
    labels: { 'sidecar.istio.io/inject': 'true' },
    annotations: { 'inject.istio.io/templates': 'gateway' },
  })
  expect(Object.keys(metadata.labels ?? {})).toEqual(['app', 'sidecar.istio.io/inject'])
  expect(spec).not.toHaveProperty('hostNetwork')
  expect(spec).toHaveProperty('automountServiceAccountToken', false)
  expect(templatePod('default', 'canary').metadata.labels).toMatchObject({ 'istio.io/rev': 'canary' })
})
