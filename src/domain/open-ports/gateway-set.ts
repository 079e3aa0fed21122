import type { V1ContainerPort } from '@kubernetes/client-node'
import { type Installation, ownerLabels } from '../installation.ts'
import type { KubeObject } from '../kube-object.ts'
import { customaryLabels } from '../stack/gateway-admission.ts'
import { injectionLabel } from '../stack/injection.ts'
import { nodeExpressions } from './node-selector.ts'
import { gatewayName, PORT_SET_LABEL, portNamespace } from './place.ts'
import type { OpenPort, PortSet } from './port-set.ts'

/** Annotation with what the mesh injected when the set was applied last: a change makes the pods anew. */
const INJECTED = 'regctl.dev/proxy'

/**
 * Changes of configuration let transfers of half an hour end, and a pod that ends waits for the connections it has, within its
 * grace period, and for nothing where there are none.
 */
const PROXY_CONFIG = JSON.stringify({
  drainDuration: '1800s',
  proxyMetadata: {
    METRICS_LOCALHOST_ACCESS_ONLY: 'true',
    EXIT_ON_ZERO_ACTIVE_CONNECTIONS: 'true',
    MINIMUM_DRAIN_DURATION: '1s',
  },
})

export type Injection = { readonly image: string; readonly revision: string | undefined }

/** An ordinary Istio gateway, filled in by the mesh's injector, on the ports of each node. */
export function gatewaySet(at: Pick<Installation, 'namespace'>, set: PortSet, injection: Injection): KubeObject {
  const name = gatewayName(set.name)
  const labels = customaryLabels(name)
  return {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: {
      name,
      namespace: portNamespace(at, set.name),
      labels: { app: name, ...ownerLabels(at), [PORT_SET_LABEL]: set.name },
    },
    spec: {
      selector: { matchLabels: { app: name } },
      // The old pod holds the ports until it is gone, so one node at a time and no surge.
      updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 1 } },
      template: {
        metadata: {
          labels: {
            ...labels,
            [PORT_SET_LABEL]: set.name,
            'sidecar.istio.io/inject': 'true',
            'istio.io/dataplane-mode': 'none',
            ...(injection.revision === undefined ? {} : injectionLabel(injection.revision)),
          },
          annotations: {
            'inject.istio.io/templates': 'gateway',
            'proxy.istio.io/config': PROXY_CONFIG,
            [INJECTED]: injection.image,
          },
        },
        spec: {
          serviceAccountName: name,
          automountServiceAccountToken: false,
          terminationGracePeriodSeconds: 30,
          securityContext: { seccompProfile: { type: 'RuntimeDefault' } },
          ...placement(set),
          containers: [container(set.ports)],
        },
      },
    },
  }
}

/** Nodes that are named are meant, taints or not; else taints say where such pods go. */
function placement({ nodes }: PortSet): Readonly<Record<string, unknown>> {
  const matchExpressions = nodeExpressions(nodes)
  if (matchExpressions.length === 0) return {}
  const nodeSelectorTerms = [{ matchExpressions }]
  return {
    tolerations: [{ operator: 'Exists' }],
    affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms } } },
  }
}

const container = (ports: readonly OpenPort[]) => ({
  name: 'istio-proxy',
  image: 'auto',
  imagePullPolicy: 'IfNotPresent',
  ports: ports.map(hostPort),
  // The injected one asks every 15 seconds, and the first time too early.
  readinessProbe: { httpGet: { path: '/healthz/ready', port: 15_021 }, periodSeconds: 2, failureThreshold: 15 },
  resources: { requests: { cpu: '10m', memory: '64Mi' } },
  securityContext: {
    runAsNonRoot: true,
    readOnlyRootFilesystem: true,
    allowPrivilegeEscalation: false,
    privileged: false,
    capabilities: { drop: ['ALL'] },
  },
})

const hostPort = ({ port, targetPort, address }: OpenPort): V1ContainerPort => ({
  name: `port-${port}`,
  containerPort: targetPort,
  hostPort: port,
  ...(address === 'loopback' ? { hostIP: '127.0.0.1' } : {}),
  protocol: 'TCP',
})
