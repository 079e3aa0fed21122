import type { V1Deployment } from '@kubernetes/client-node'
import { INGRESS, INGRESS_PORT, type Installation, ingressNamespace } from '../installation.ts'
import type { KubeObject } from '../kube-object.ts'
import type { IngressType } from '../settings.ts'
import { gatewayLabels, type OwnGateway } from './gateway-admission.ts'
import { injectionLabel } from './injection.ts'
import type { MeshFacts } from './mesh-facts.ts'
import { placed } from './registry.ts'

/** How a gateway is reached. */
export type Reach = {
  readonly type: IngressType
  /** What its Service and, by host port, its node answer on. */
  readonly port: number
  /** What its pod listens on. */
  readonly podPort: number
  readonly revision?: string | undefined
}

/** The objects of assets/manifests/gateway.yaml as this gateway wants them. */
export const gatewayWorkload = (
  at: Installation,
  own: OwnGateway,
  reach: Reach,
  mesh: Pick<MeshFacts, 'proxy'>,
  shipped: readonly KubeObject[],
): readonly KubeObject[] =>
  shipped
    .map((object) => placed(at, object))
    .map((object) => named(object, { [INGRESS]: own.name, [ingressNamespace(at)]: own.namespace }) as KubeObject)
    .map((object) => shaped(object, own, reach, mesh))

/** Replaces whole words of the shipped gateway wherever they stand. */
function named(value: unknown, names: Readonly<Record<string, string>>): unknown {
  if (typeof value === 'string') return names[value] ?? value
  if (Array.isArray(value)) return value.map((item) => named(item, names))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, named(item, names)]))
}

function shaped(object: KubeObject, own: OwnGateway, reach: Reach, mesh: Pick<MeshFacts, 'proxy'>): KubeObject {
  const { metadata } = object
  switch (object.kind) {
    case 'Namespace': {
      // PodSecurity's lower levels forbid host ports.
      const level = reach.type === 'HostPort' ? 'privileged' : 'restricted'
      return { ...object, metadata: { ...metadata, labels: { ...metadata.labels, [ENFORCE]: level } } }
    }
    case 'Service':
      return service(object, reach)
    case 'Deployment':
      return deployment(object, own, reach, mesh)
    default:
      return object
  }
}

const ENFORCE = 'pod-security.kubernetes.io/enforce'

function service(object: KubeObject, { type, port, podPort }: Reach): KubeObject {
  const spec = object.spec as { readonly ports: readonly object[] }
  const ports = spec.ports.map((one) => ({ ...one, port, targetPort: podPort }))
  return { ...object, spec: { ...spec, ports, type: type === 'HostPort' ? 'ClusterIP' : type } }
}

function deployment(object: KubeObject, own: OwnGateway, reach: Reach, mesh: Pick<MeshFacts, 'proxy'>): KubeObject {
  const spec = object.spec as NonNullable<V1Deployment['spec']>
  const { metadata, spec: pod } = spec.template
  if (pod === undefined) throw new Error('assets/manifests/gateway.yaml: the Deployment has no pod')
  const hostPort = reach.type === 'HostPort' ? { hostPort: reach.port } : {}
  return {
    ...object,
    spec: {
      ...spec,
      // The old pod holds the node's port until it is gone.
      ...(reach.type === 'HostPort'
        ? { strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 0, maxUnavailable: 1 } } }
        : {}),
      template: {
        metadata: {
          ...metadata,
          labels: {
            ...metadata?.labels,
            ...gatewayLabels(own),
            ...(reach.revision === undefined ? {} : injectionLabel(reach.revision)),
          },
          // The image comes by injection: what changes here with the mesh makes the pods anew.
          annotations: { ...metadata?.annotations, [INJECTED]: mesh.proxy.container.image ?? '' },
        },
        spec: {
          ...pod,
          containers: pod.containers.map((container) => ({
            ...container,
            ports: container.ports?.map((port) =>
              port.containerPort === INGRESS_PORT ? { ...port, containerPort: reach.podPort, ...hostPort } : port,
            ),
          })),
        },
      },
    },
  } as unknown as KubeObject
}

/** What the mesh injected when the gateway was applied last. */
export const INJECTED = 'regctl.dev/proxy'

export function injectedInto(deployment: KubeObject): string | undefined {
  const { template } = deployment.spec as { template: { metadata?: { annotations?: Record<string, string> } } }
  return template.metadata?.annotations?.[INJECTED]
}

/**
 * istiod hands a gateway the TLS certificates of its own namespace if its account, of the same name, may list the Secrets
 * there; the pod itself has no token.
 */
export function certificatesRole(metadata: KubeObject['metadata']): readonly KubeObject[] {
  const rbac = 'rbac.authorization.k8s.io'
  const { name, namespace = '' } = metadata
  return [
    {
      apiVersion: `${rbac}/v1`,
      kind: 'Role',
      metadata,
      rules: [{ apiGroups: [''], resources: ['secrets'], verbs: ['list'] }],
    },
    {
      apiVersion: `${rbac}/v1`,
      kind: 'RoleBinding',
      metadata,
      roleRef: { apiGroup: rbac, kind: 'Role', name },
      subjects: [{ kind: 'ServiceAccount', name, namespace }],
    },
  ]
}
