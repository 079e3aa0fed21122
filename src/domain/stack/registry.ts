import { createHash } from 'node:crypto'
import type { V1ConfigMap, V1Deployment, V1PersistentVolumeClaimSpec, V1PodTemplateSpec } from '@kubernetes/client-node'
import { type Installation, ownerLabels } from '../installation.ts'
import type { KubeObject } from '../kube-object.ts'
import type { Settings } from '../settings.ts'
import { injectionLabel } from './injection.ts'
import type { MeshFacts } from './mesh-facts.ts'

/** The objects of assets/manifests/registry.yaml as this installation wants them, in the order to apply. */
export function registryObjects(
  at: Installation,
  settings: Settings,
  mesh: Pick<MeshFacts, 'connectionSettings' | 'cni'>,
  shipped: readonly KubeObject[],
): readonly KubeObject[] {
  const config = shipped.find((object) => object.kind === 'ConfigMap')
  const configHash = createHash('sha256').update(configText(config, at)).digest('hex').slice(0, 12)
  return shipped
    .filter((object) => object.kind !== 'PersistentVolumeClaim' || settings.storage === 'pvc')
    .map((object) => placed(at, object))
    .map((object) => {
      switch (object.kind) {
        case 'Namespace':
          return namespace(object, settings, mesh)
        case 'ConfigMap':
          return { ...object, data: { 'config.yml': configText(object, at) } }
        case 'PersistentVolumeClaim':
          return { ...object, spec: claimSpec(object.spec as V1PersistentVolumeClaimSpec, settings) }
        case 'Service':
          return { ...object, spec: withPort(object.spec, at.port) as Record<string, unknown> }
        case 'Deployment':
          return deployment(object, at, settings, mesh, configHash)
        default:
          return object
      }
    })
}

/** Moves a shipped object into the installation's namespace and marks it as ours. */
export function placed(at: Installation, object: KubeObject): KubeObject {
  const moved = (name: string) => name.replace(/^kube-registry(?=$|-node$|-ingress$)/, at.namespace)
  const { namespace, name, labels } = object.metadata
  return {
    ...object,
    metadata: {
      ...object.metadata,
      name: object.kind === 'Namespace' ? moved(name) : name,
      ...(namespace === undefined ? {} : { namespace: moved(namespace) }),
      labels: { ...labels, ...ownerLabels(at) },
    },
  }
}

function namespace(object: KubeObject, settings: Settings, mesh: Pick<MeshFacts, 'cni'>): KubeObject {
  const { 'istio-injection': _default, ...labels } = object.metadata.labels ?? {}
  const level = mesh.cni ? 'baseline' : 'privileged'
  return {
    ...object,
    metadata: {
      ...object.metadata,
      labels: { ...labels, ...injectionLabel(settings.revision), 'pod-security.kubernetes.io/enforce': level },
    },
  }
}

const configText = (config: KubeObject | undefined, at: Installation): string =>
  ((config as unknown as V1ConfigMap).data?.['config.yml'] ?? '').replace('127.0.0.1:5000', `127.0.0.1:${at.port}`)

function claimSpec(spec: V1PersistentVolumeClaimSpec, settings: Settings): V1PersistentVolumeClaimSpec {
  return {
    ...spec,
    ...(settings.storageClass === undefined ? {} : { storageClassName: settings.storageClass }),
    resources: { requests: { storage: settings.size } },
  }
}

/** Replaces the shipped port, a number nothing else in these objects has, wherever it stands. */
export function withPort(value: unknown, port: number): unknown {
  if (value === 5000) return port
  if (Array.isArray(value)) return value.map((item) => withPort(item, port))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, withPort(item, port)]))
}

function deployment(
  object: KubeObject,
  at: Installation,
  settings: Settings,
  mesh: Pick<MeshFacts, 'connectionSettings'>,
  configHash: string,
): KubeObject {
  const spec = withPort(object.spec, at.port) as NonNullable<V1Deployment['spec']>
  const template: V1PodTemplateSpec = spec.template
  const pod = template.spec
  if (pod === undefined) throw new Error('assets/manifests/registry.yaml: the Deployment has no pod')
  const labels = {
    ...template.metadata?.labels,
    ...(settings.revision === undefined ? {} : injectionLabel(settings.revision)),
  }
  return {
    ...object,
    spec: {
      ...spec,
      template: {
        metadata: {
          labels: { ...labels, 'istio.io/dataplane-mode': 'none' },
          annotations: {
            'regctl.dev/config': configHash,
            'proxy.istio.io/config': JSON.stringify(proxyConfig(mesh.connectionSettings)),
            'sidecar.istio.io/nativeSidecar': 'true',
          },
        },
        spec: {
          ...pod,
          initContainers: (pod.initContainers ?? []).map((container) => ({ ...container, image: settings.image })),
          containers: pod.containers.map((container) => ({ ...container, image: settings.image })),
          volumes: (pod.volumes ?? []).map((volume) =>
            volume.name === 'data' && settings.storage === 'emptydir' ? { name: 'data', emptyDir: {} } : volume,
          ),
        },
      },
    },
  }
}

/**
 * Settings of the registry's proxy. Every policy change makes Envoy drain the listener: transfers that end within
 * `drainDuration` are not cut, and idle connections, which would go on under the old policy, end after
 * `httpIdleTimeout` and the five seconds Envoy then takes to drain them.
 */
function proxyConfig(connectionSettings: boolean): Readonly<Record<string, unknown>> {
  return {
    holdApplicationUntilProxyStarts: true,
    drainDuration: '1800s',
    proxyMetadata: {
      METRICS_LOCALHOST_ACCESS_ONLY: 'true',
      REWRITE_PROBE_LEGACY_LOCALHOST_DESTINATION: 'true',
    },
    ...(connectionSettings
      ? {
          connectionSettings: {
            httpMergeSlashes: true,
            httpPathWithEscapedSlashesAction: 'REJECT_REQUEST',
            httpIdleTimeout: '3s',
          },
        }
      : {}),
  }
}
