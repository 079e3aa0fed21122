import { type Installation, ownerLabels } from '../installation.ts'
import type { KubeObject, ObjectRef } from '../kube-object.ts'

/** Where tools look for it: https://github.com/kubernetes/enhancements/tree/master/keps/sig-cluster-lifecycle/generic/1755-communicating-a-local-registry */
export const LOCAL_REGISTRY = { namespace: 'kube-public', name: 'local-registry-hosting' } as const

export const isLocalRegistry = ({ kind, namespace, name }: Omit<ObjectRef, 'apiVersion'>): boolean =>
  kind === 'ConfigMap' && namespace === LOCAL_REGISTRY.namespace && name === LOCAL_REGISTRY.name

/**
 * Says that localhost:PORT is the registry, for the workstation and the nodes alike. There is no name for the cluster's
 * network: what is not granted must take it for unreachable, as it is.
 */
export function localRegistry(at: Installation): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { ...LOCAL_REGISTRY, labels: ownerLabels(at) },
    // JSON is YAML, which its readers parse.
    data: { 'localRegistryHosting.v1': JSON.stringify({ host: `localhost:${at.port}` }) },
  }
}
