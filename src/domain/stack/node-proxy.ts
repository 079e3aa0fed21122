import type { V1Container, V1EnvVar } from '@kubernetes/client-node'
import { type Installation, NODE_PROXY, nodeNamespace, ownerLabels } from '../installation.ts'
import type { KubeObject } from '../kube-object.ts'
import type { NodeProxy } from '../settings.ts'
import { customaryLabels } from './gateway-admission.ts'
import { injectionLabel } from './injection.ts'
import { loopbackListener } from './mesh.ts'
import type { ProxyTemplate } from './mesh-facts.ts'

/** The node's own ports of the proxy, away from those a sidecar uses, which another hostNetwork proxy may hold. */
const PORTS = { admin: 15_900, agent: 15_920, ready: 15_921, prometheus: 15_922 } as const

/** What a gateway says is its address: nobody's (RFC 5737). See `entry` in node-gateway.ts. */
export const NODE_GATEWAY_ADDRESS = '192.0.2.1'

/**
 * A pod for the injector to fill in by a dry run: istiod never injects a hostNetwork pod, so the container that
 * follows the mesh's version and settings comes from one that is not. It is never created.
 */
export function templatePod(namespace: string, revision: string | undefined): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: `${NODE_PROXY}-template`,
      namespace,
      labels: {
        app: NODE_PROXY,
        'sidecar.istio.io/inject': 'true',
        ...(revision === undefined ? {} : injectionLabel(revision)),
      },
      annotations: { 'inject.istio.io/templates': 'gateway' },
    },
    spec: {
      automountServiceAccountToken: false, // Without a policy of its own the API server makes it Always, because `auto` looks like a tag-less image.
      containers: [{ name: 'istio-proxy', image: 'auto', imagePullPolicy: 'IfNotPresent' }],
    },
  }
}

/** What the proxy of a node runs as, by its DaemonSet. */
export function nodeProxyOf(daemonSet: KubeObject): NodeProxy {
  const { template } = daemonSet.spec as { template: { spec: { containers: readonly V1Container[] } } }
  return template.spec.containers[0]?.args?.includes('router') === true ? 'gateway' : 'sidecar'
}

/** One egress listener on loopback and nothing else, so memory does not grow with the mesh. */
export function nodeSidecar(at: Installation): KubeObject {
  return {
    apiVersion: 'networking.istio.io/v1',
    kind: 'Sidecar',
    metadata: { name: NODE_PROXY, namespace: nodeNamespace(at), labels: ownerLabels(at) },
    spec: { workloadSelector: { labels: { app: NODE_PROXY } }, egress: [loopbackListener(at)] },
  }
}

export function nodeProxy(at: Installation, template: ProxyTemplate): KubeObject {
  const labels = { app: NODE_PROXY }
  // So many that no Gateway of others can mean these pods by accident or stealth.
  const more = at.nodeGateway === true ? customaryLabels(NODE_PROXY) : {}
  return {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { name: NODE_PROXY, namespace: nodeNamespace(at), labels: { ...labels, ...ownerLabels(at) } },
    spec: {
      selector: { matchLabels: labels },
      // The old pod holds the port until it is gone, so one node at a time and no surge.
      updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 1 } },
      template: {
        metadata: {
          labels: { ...labels, ...more, 'sidecar.istio.io/inject': 'false', 'istio.io/dataplane-mode': 'none' },
        },
        spec: {
          serviceAccountName: NODE_PROXY,
          automountServiceAccountToken: false,
          hostNetwork: true,
          dnsPolicy: 'ClusterFirstWithHostNet',
          priorityClassName: 'system-node-critical',
          tolerations: [{ operator: 'Exists' }],
          terminationGracePeriodSeconds: 10,
          securityContext: { seccompProfile: { type: 'RuntimeDefault' } },
          containers: [proxyContainer(at, template.container)],
          volumes: template.volumes,
        },
      },
    },
  }
}

function proxyContainer(at: Installation, injected: V1Container): V1Container {
  const { lifecycle: _lifecycle, startupProbe: _startup, stdin: _in, tty: _tty, ...container } = injected
  return {
    ...container,
    // A gateway's proxy takes Gateways of any namespace that admission lets in; a sidecar's takes none.
    args: (injected.args ?? []).map((arg) => (arg === 'router' && at.nodeGateway !== true ? 'sidecar' : arg)),
    env: proxyEnv(at, injected.env ?? []),
    // Declared, so that the scheduler and the kubelet give the port to nobody else on the node.
    ports: [{ name: 'registry', containerPort: at.port, hostPort: at.port, protocol: 'TCP' }],
    readinessProbe: {
      httpGet: { ...(at.nodeGateway === true ? { host: '127.0.0.1' } : {}), path: '/healthz/ready', port: PORTS.ready },
      periodSeconds: 2,
      failureThreshold: 3,
      timeoutSeconds: 3,
    },
    // Envoy never retries a port that was taken when it started, and reports ready all the same.
    livenessProbe: {
      tcpSocket: { host: '127.0.0.1', port: at.port },
      initialDelaySeconds: 10,
      periodSeconds: 5,
      failureThreshold: 3,
    },
    resources: { requests: { cpu: '10m', memory: '64Mi' } },
    securityContext: {
      runAsNonRoot: true,
      runAsUser: 1337,
      runAsGroup: 1337,
      readOnlyRootFilesystem: true,
      allowPrivilegeEscalation: false,
      privileged: false,
      capabilities: { drop: ['ALL'] },
    },
  }
}

function proxyEnv(at: Installation, injected: readonly V1EnvVar[]): V1EnvVar[] {
  const ours: Record<string, string> = {
    PROXY_CONFIG: JSON.stringify(proxyConfig(injected)),
    ISTIO_META_INTERCEPTION_MODE: 'NONE',
    ISTIO_META_WORKLOAD_NAME: NODE_PROXY,
    ISTIO_META_OWNER: `kubernetes://apis/apps/v1/namespaces/${nodeNamespace(at)}/daemonsets/${NODE_PROXY}`,
    ENVOY_STATUS_PORT: String(PORTS.ready),
    ENVOY_PROMETHEUS_PORT: String(PORTS.prometheus),
    METRICS_LOCALHOST_ACCESS_ONLY: 'true',
    ...(at.nodeGateway === true ? { INSTANCE_IP: NODE_GATEWAY_ADDRESS } : {}),
  }
  const kept = injected.filter((variable) => !(variable.name in ours))
  return [...kept, ...Object.entries(ours).map(([name, value]) => ({ name, value }))]
}

function proxyConfig(injected: readonly V1EnvVar[]): Readonly<Record<string, unknown>> {
  const text = injected.find((variable) => variable.name === 'PROXY_CONFIG')?.value ?? '{}'
  const mesh = JSON.parse(text) as { readonly proxyMetadata?: Readonly<Record<string, string>> }
  return {
    ...mesh,
    proxyAdminPort: PORTS.admin,
    statusPort: PORTS.agent,
    proxyMetadata: { ...mesh.proxyMetadata, METRICS_LOCALHOST_ACCESS_ONLY: 'true' },
  }
}
