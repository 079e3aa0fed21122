import type { KubeObject } from '../kube-object.ts'
import { INIT_IMAGE, KANIKO_CONTAINER, KANIKO_IMAGE, KANIKO_INIT_CONTAINER, KANIKO_LABEL } from './kaniko.ts'
import type { ClusterBuild } from './profile.ts'

/** A pod as Skaffold makes it for Kaniko, as far as admission cares. */
export function kanikoPod({ namespace, serviceAccount, labels, annotations }: ClusterBuild): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'kaniko-regctl-check', namespace, labels: { ...labels, ...KANIKO_LABEL }, annotations },
    spec: {
      ...(serviceAccount === undefined ? {} : { serviceAccountName: serviceAccount }),
      restartPolicy: 'Never',
      initContainers: [{ name: KANIKO_INIT_CONTAINER, image: INIT_IMAGE }],
      containers: [{ name: KANIKO_CONTAINER, image: KANIKO_IMAGE }],
    },
  }
}

/** What the cluster makes of such a pod. */
export type BuilderPod = {
  readonly proxy: 'native' | 'classic' | 'none'
  /** Skaffold takes the pod for ready as soon as any init container runs, and sends the context to its own. */
  readonly contextFirst: boolean
  /** The init container that runs first. */
  readonly first: string
}

type Spec = {
  readonly initContainers?: readonly { readonly name: string; readonly restartPolicy?: string }[]
  readonly containers?: readonly { readonly name: string }[]
}

export function readBuilderPod(pod: KubeObject): BuilderPod {
  const { initContainers = [], containers = [] } = pod.spec as Spec
  const native = initContainers.some(({ name, restartPolicy }) => name === 'istio-proxy' && restartPolicy === 'Always')
  const classic = containers.some(({ name }) => name === 'istio-proxy')
  return {
    proxy: native ? 'native' : classic ? 'classic' : 'none',
    first: initContainers[0]?.name ?? '',
    contextFirst: initContainers[0]?.name === KANIKO_INIT_CONTAINER,
  }
}
