import type { V1Pod } from '@kubernetes/client-node'

export const isReady = (pod: V1Pod): boolean =>
  pod.metadata?.deletionTimestamp === undefined &&
  (pod.status?.conditions ?? []).some((condition) => condition.type === 'Ready' && condition.status === 'True')

/** The newest Ready one: an older one is the likelier to go next. */
export function readyPod(pods: readonly V1Pod[]): V1Pod | undefined {
  const age = (pod: V1Pod) => new Date(pod.metadata?.creationTimestamp ?? 0).getTime()
  return pods.filter(isReady).sort((one, other) => age(other) - age(one))[0]
}

/** What keeps the pods from being Ready, in the words Kubernetes has for it. */
export function whyNotReady(pods: readonly V1Pod[], namespace: string): string {
  if (pods.length === 0) return `there is no registry pod in namespace "${namespace}"`
  const states = pods.map((pod) => `pod ${namespace}/${pod.metadata?.name} is ${stateOf(pod)}`)
  return `no registry pod is ready: ${states.join(', ')}`
}

function stateOf(pod: V1Pod): string {
  if (pod.metadata?.deletionTimestamp !== undefined) return 'ending'
  const containers = [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])]
  const waiting = containers.find(({ state }) => state?.waiting?.reason !== undefined)?.state?.waiting?.reason
  const unschedulable = pod.status?.conditions?.find(
    ({ type, status }) => type === 'PodScheduled' && status === 'False',
  )
  return (
    waiting ??
    unschedulable?.reason ??
    (pod.status?.phase === 'Running' ? 'not ready yet' : (pod.status?.phase ?? 'Pending'))
  )
}
