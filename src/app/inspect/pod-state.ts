import type { V1Pod } from '@kubernetes/client-node'

import { isReady } from '../../domain/ready-pods.ts'

export type PodState = {
  readonly pod: string
  readonly node: string
  readonly ready: boolean
  readonly image: string
  readonly imageId: string
}

export function podState(pod: V1Pod, container: string): PodState {
  const state = pod.status?.containerStatuses?.find(({ name }) => name === container)
  return {
    pod: pod.metadata?.name ?? '',
    node: pod.spec?.nodeName ?? '',
    ready: isReady(pod),
    image: pod.spec?.containers.find(({ name }) => name === container)?.image ?? '',
    imageId: state?.imageID ?? '',
  }
}
