import {
  type Installation,
  ownerLabels,
  REGISTRY,
  registrySelector,
  serviceHost,
  servingPorts,
} from '../installation.ts'
import type { KubeObject } from '../kube-object.ts'

const meta = (at: Installation, name: string, namespace = at.namespace) => ({
  name,
  namespace,
  labels: ownerLabels(at),
})

/** No plaintext reaches the registry's pod. */
export function strictMtls(at: Installation): KubeObject {
  return {
    apiVersion: 'security.istio.io/v1',
    kind: 'PeerAuthentication',
    metadata: meta(at, REGISTRY),
    spec: { selector: registrySelector, mtls: { mode: 'STRICT' } },
  }
}

/**
 * The registry's own proxy: a port in, and one for developers, to loopback, and nothing out. Without `defaultEndpoint` Istio would
 * call the pod's address, where nothing listens (IST0143). HTTP is declared so that the path can be checked.
 */
export function registrySidecar(at: Installation): KubeObject {
  return {
    apiVersion: 'networking.istio.io/v1',
    kind: 'Sidecar',
    metadata: meta(at, REGISTRY),
    spec: {
      workloadSelector: { labels: registrySelector.matchLabels },
      ingress: servingPorts(at).map((number) => ({
        port: { number, protocol: 'HTTP', name: number === at.port ? 'http-registry' : 'http-developers' },
        defaultEndpoint: `127.0.0.1:${at.port}`,
      })),
      egress: [{ hosts: ['~/*'] }],
    },
  }
}

/**
 * Explicit, so that no client falls back to plaintext when auto mTLS guesses wrong. Keepalive, because a pod that
 * goes at once takes its last packets along: without it a pull cut by `revoke --now` or a lost node waits for ever.
 */
export function mutualTls(at: Installation, host = serviceHost(at)): KubeObject {
  return {
    apiVersion: 'networking.istio.io/v1',
    kind: 'DestinationRule',
    metadata: meta(at, host.split('.')[0] ?? ''),
    spec: {
      host,
      trafficPolicy: {
        tls: { mode: 'ISTIO_MUTUAL' },
        connectionPool: { tcp: { tcpKeepalive: { time: '10s', interval: '2s', probes: 3 } } },
      },
    },
  }
}

/** The egress entry that gives a pod `localhost:PORT`. TCP: an HTTP listener would route by Host and know no `localhost`. */
export function loopbackListener(at: Installation): Readonly<Record<string, unknown>> {
  return {
    port: { number: at.port, protocol: 'TCP', name: 'tcp-registry' },
    bind: '127.0.0.1',
    captureMode: 'NONE',
    // The registry's namespace by name: with */… a VirtualService of any namespace could take it over.
    hosts: [`${at.namespace}/${serviceHost(at)}`],
  }
}
