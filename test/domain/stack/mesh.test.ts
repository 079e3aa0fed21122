import { expect, test } from 'vitest'
import { loopbackListener, mutualTls, registrySidecar, strictMtls } from '../../../src/domain/stack/mesh.ts'
import { at } from '../at.ts'

const other = { namespace: 'images', port: 5001, clusterDomain: 'example.org' }

test('nothing but mTLS reaches the registry’s pod', () => {
  expect(strictMtls(at).spec).toEqual({
    selector: { matchLabels: { app: 'kube-registry' } },
    mtls: { mode: 'STRICT' },
  })
  expect(strictMtls(other).metadata.namespace).toBe('images')
})

test('its proxy has one port in, to loopback, and nothing out', () => {
  expect(registrySidecar(other).spec).toEqual({
    workloadSelector: { labels: { app: 'kube-registry' } },
    ingress: [{ port: { number: 5001, protocol: 'HTTP', name: 'http-registry' }, defaultEndpoint: '127.0.0.1:5001' }],
    egress: [{ hosts: ['~/*'] }],
  })
})

test('clients speak mTLS, and notice a peer that is gone', () => {
  expect(mutualTls(other).spec).toEqual({
    host: 'kube-registry.images.svc.example.org',
    trafficPolicy: {
      tls: { mode: 'ISTIO_MUTUAL' },
      connectionPool: { tcp: { tcpKeepalive: { time: '10s', interval: '2s', probes: 3 } } },
    },
  })
})

test('localhost is a TCP listener that names the registry’s namespace', () => {
  expect(loopbackListener(other)).toEqual({
    port: { number: 5001, protocol: 'TCP', name: 'tcp-registry' },
    bind: '127.0.0.1',
    captureMode: 'NONE',
    hosts: ['images/kube-registry.images.svc.example.org'],
  })
})
