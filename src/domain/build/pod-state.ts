import type { V1Pod } from '@kubernetes/client-node'

export const BUILD_CONTAINER = 'build'

/** How far a build's pod is. */
export type PodState =
  | { readonly phase: 'waiting'; readonly why: string }
  /** It will not get further by itself. */
  | { readonly phase: 'stuck'; readonly why: string }
  | { readonly phase: 'running' }
  | { readonly phase: 'ended'; readonly exitCode: number; readonly message: string; readonly reason: string }

/** An image is tried again and again; after the first back-off nobody expects it to come. */
const HOPELESS = new Set([
  'ImagePullBackOff',
  'InvalidImageName',
  'ErrImageNeverPull',
  'CreateContainerConfigError',
  'CreateContainerError',
])

export function podState(pod: V1Pod): PodState {
  const { status } = pod
  const build = status?.containerStatuses?.find(({ name }) => name === BUILD_CONTAINER)
  const terminated = build?.state?.terminated
  if (terminated !== undefined && terminated !== null) {
    const { exitCode, message = '', reason = '' } = terminated
    return { phase: 'ended', exitCode, message: message.trim(), reason }
  }
  // The kubelet ends a pod as a whole: evicted, past its deadline, its node gone.
  if (status?.phase === 'Failed' || status?.phase === 'Succeeded')
    return { phase: 'stuck', why: status.message ?? status.reason ?? 'it ended before the build began' }
  if (build?.state?.running) return { phase: 'running' }
  for (const { name, state } of [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])]) {
    const { reason = '', message = '' } = state?.waiting ?? {}
    if (HOPELESS.has(reason)) return { phase: 'stuck', why: `container ${name}: ${reason}: ${message}` }
    if (reason === 'CrashLoopBackOff') return { phase: 'stuck', why: `container ${name} fails again and again` }
  }
  const unscheduled = status?.conditions?.find(({ type, status: is }) => type === 'PodScheduled' && is === 'False')
  if (unscheduled !== undefined) return { phase: 'waiting', why: unscheduled.message ?? 'no node takes it' }
  const next = [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])].find(
    ({ state }) => state?.waiting,
  )
  return { phase: 'waiting', why: next === undefined ? 'it is being scheduled' : `container ${next.name} is to start` }
}

/** Has Istio put its proxy in, in whatever way? */
export const hasProxy = ({ spec }: V1Pod): boolean =>
  [...(spec?.initContainers ?? []), ...(spec?.containers ?? [])].some(({ name }) => name === 'istio-proxy')
