import type { V1Pod } from '@kubernetes/client-node'
import { BUILD_LABEL, type BuildPod } from '../../domain/build/job.ts'
import type { BuildPorts } from '../../ports.ts'

/** The pod of a build's Job; there is one at most. */
export async function buildPod({ kube }: BuildPorts, { namespace, name }: BuildPod): Promise<V1Pod | undefined> {
  const labelSelector = `${BUILD_LABEL}=${name}`
  const pods = (await kube.list({ apiVersion: 'v1', kind: 'Pod' }, { namespace, labelSelector })) as unknown as V1Pod[]
  return pods[0]
}

type Event = { readonly involvedObject?: { readonly name?: string }; readonly type?: string; readonly message?: string }

/** Why a Job has no pod, in the words of its controller. */
export async function reasonOfNone({ kube }: BuildPorts, { namespace, name }: BuildPod): Promise<string> {
  const events = (await kube.list({ apiVersion: 'v1', kind: 'Event' }, { namespace })) as unknown as Event[]
  const warning = events.find((event) => event.involvedObject?.name === name && event.type === 'Warning')
  return warning?.message ?? `see kubectl describe job -n ${namespace} ${name}`
}
