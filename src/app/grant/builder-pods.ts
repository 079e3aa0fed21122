import type { V1Pod } from '@kubernetes/client-node'
import type { PodLabel } from '../../domain/builder.ts'
import type { Installation } from '../../domain/installation.ts'
import { conflictError } from '../../errors.ts'

const isOver = (pod: V1Pod): boolean => pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed'

const containersOf = (pod: V1Pod) => [...(pod.spec?.initContainers ?? []), ...(pod.spec?.containers ?? [])]

const nameOf = (pod: V1Pod): string => pod.metadata?.name ?? ''

/** Pods that run without a proxy and would get one at their next restart. A Job's pod is not restarted. */
export function podsWithoutProxy(pods: readonly V1Pod[]): readonly string[] {
  return pods
    .filter((pod) => !isOver(pod))
    .filter((pod) => !(pod.metadata?.ownerReferences ?? []).some((owner) => owner.kind === 'Job'))
    .filter((pod) => !containersOf(pod).some((container) => container.name === 'istio-proxy'))
    .map(nameOf)
}

/**
 * The listener takes 127.0.0.1:PORT in the pod; an application that binds the port itself would fail.
 * @throws conflict error (exit 4) PORT_IN_PODS
 */
export function checkPods(
  at: Installation,
  namespace: string,
  pods: readonly V1Pod[],
  label: PodLabel | undefined,
): void {
  const users = pods
    .filter((pod) => !isOver(pod))
    .filter((pod) => label === undefined || pod.metadata?.labels?.[label.key] === label.value)
    .filter((pod) =>
      containersOf(pod).some((container) => (container.ports ?? []).some((port) => port.containerPort === at.port)),
    )
    .map(nameOf)
  if (users.length === 0) return
  throw conflictError(
    'PORT_IN_PODS',
    `port ${at.port} is used by pod ${users.join(', ')} of namespace "${namespace}" itself`,
    {
      suggestions: [
        label === undefined
          ? "add --pods KEY=VALUE, and label the builders' pods with it"
          : 'choose a --pods label those pods do not carry',
      ],
    },
  )
}
