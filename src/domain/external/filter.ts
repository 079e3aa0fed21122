import type { Installation } from '../installation.ts'
import type { KubeObject, ObjectRef } from '../kube-object.ts'
import { envoyFilter, type Patch } from '../stack/envoy-filter.ts'
import { EXTERNAL_LABEL } from './grant.ts'

export const filterRef = (namespace: string, name: string): Required<ObjectRef> => ({
  apiVersion: 'networking.istio.io/v1alpha3',
  kind: 'EnvoyFilter',
  namespace,
  name,
})

/** One that is there while anybody outside is granted anything. */
export function grantsFilter(
  at: Installation,
  { namespace, name }: Required<ObjectRef>,
  app: string,
  patch: Patch,
  resourceVersion?: string,
): KubeObject {
  const { metadata, ...rest } = envoyFilter(at, name, namespace, app, [patch])
  return {
    ...rest,
    metadata: {
      ...metadata,
      labels: { ...metadata.labels, [EXTERNAL_LABEL]: 'all' },
      ...(resourceVersion === undefined ? {} : { resourceVersion }),
    },
  }
}
