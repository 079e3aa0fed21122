import type { ResourceType } from '../ports.ts'
import { MUTATION_APIS, MUTATION_KIND } from './stack/context-first.ts'

/** Every type of object an installation may hold, in the order to create them; down goes the other way. */
export const OWNED_TYPES: readonly ResourceType[] = [
  { apiVersion: 'v1', kind: 'Namespace' },
  { apiVersion: 'v1', kind: 'ServiceAccount' },
  { apiVersion: 'v1', kind: 'ConfigMap' },
  { apiVersion: 'v1', kind: 'Secret' },
  { apiVersion: 'v1', kind: 'ResourceQuota' },
  { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'Role' },
  { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'RoleBinding' },
  { apiVersion: 'admissionregistration.k8s.io/v1', kind: 'ValidatingAdmissionPolicy' },
  { apiVersion: 'admissionregistration.k8s.io/v1', kind: 'ValidatingAdmissionPolicyBinding' },
  ...MUTATION_APIS.flatMap((apiVersion) =>
    [MUTATION_KIND, `${MUTATION_KIND}Binding`].map((kind) => ({ apiVersion, kind })),
  ),
  { apiVersion: 'security.istio.io/v1', kind: 'PeerAuthentication' },
  { apiVersion: 'security.istio.io/v1', kind: 'RequestAuthentication' },
  { apiVersion: 'security.istio.io/v1', kind: 'AuthorizationPolicy' },
  { apiVersion: 'networking.istio.io/v1', kind: 'Sidecar' },
  { apiVersion: 'networking.istio.io/v1', kind: 'DestinationRule' },
  { apiVersion: 'networking.istio.io/v1', kind: 'Gateway' },
  { apiVersion: 'networking.istio.io/v1', kind: 'VirtualService' },
  { apiVersion: 'networking.istio.io/v1', kind: 'ServiceEntry' },
  { apiVersion: 'networking.istio.io/v1', kind: 'WorkloadEntry' },
  { apiVersion: 'networking.istio.io/v1alpha3', kind: 'EnvoyFilter' },
  { apiVersion: 'telemetry.istio.io/v1', kind: 'Telemetry' },
  { apiVersion: 'v1', kind: 'PersistentVolumeClaim' },
  { apiVersion: 'v1', kind: 'Service' },
  { apiVersion: 'apps/v1', kind: 'Deployment' },
  { apiVersion: 'apps/v1', kind: 'DaemonSet' },
]

const types = (apiVersion: string, ...kinds: readonly string[]): readonly ResourceType[] =>
  kinds.map((kind) => ({ apiVersion, kind }))

/** What others may keep in a namespace of ours besides: `down` must not take it along. */
export const OTHER_TYPES: readonly ResourceType[] = [
  ...types('v1', 'Pod', 'ReplicationController', 'LimitRange'),
  ...types('apps/v1', 'StatefulSet', 'ReplicaSet'),
  ...types('batch/v1', 'Job', 'CronJob'),
  ...types('networking.k8s.io/v1', 'Ingress', 'NetworkPolicy'),
  ...types('autoscaling/v2', 'HorizontalPodAutoscaler'),
  ...types('policy/v1', 'PodDisruptionBudget'),
  ...types('gateway.networking.k8s.io/v1', 'Gateway', 'HTTPRoute'),
]

/** Types that serve traffic: applied last and removed first, so that policies are in force all the time between. */
export const WORKLOAD_KINDS: ReadonlySet<string> = new Set(['Deployment', 'DaemonSet'])

const ORDER = new Map(OWNED_TYPES.map((type, index) => [type.kind, index]))

export function inApplyOrder<T extends { readonly kind: string }>(objects: readonly T[]): readonly T[] {
  return [...objects].sort((a, b) => (ORDER.get(a.kind) ?? 0) - (ORDER.get(b.kind) ?? 0))
}
