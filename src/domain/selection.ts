import type { KubeObject } from './kube-object.ts'

type Selecting = {
  readonly selector?: { readonly matchLabels?: Readonly<Record<string, string>> }
  readonly workloadSelector?: { readonly labels?: Readonly<Record<string, string>> }
  readonly targetRef?: unknown
  readonly targetRefs?: readonly unknown[]
}

/** Labels istiod gives a proxy without the pod having them, so what they select cannot be told from the pod. */
const OF_ISTIOD = /^(topology\.|kubernetes\.io\/hostname$)/

/** Does a policy or filter of the same or the root namespace apply to pods with these labels? One without selector does. */
export function selects(object: KubeObject, podLabels: Readonly<Record<string, string>>): boolean {
  const { selector, workloadSelector, targetRef, targetRefs = [] } = (object.spec ?? {}) as Selecting
  // What is attached to a Gateway or a Service never applies to a sidecar.
  if (targetRef !== undefined || targetRefs.length > 0) return false
  return Object.entries(selector?.matchLabels ?? workloadSelector?.labels ?? {}).every(
    ([key, value]) => podLabels[key] === value || (podLabels[key] === undefined && OF_ISTIOD.test(key)),
  )
}
