/** The labels that decide on injection, of a namespace or a pod. */
export const INJECTION_LABELS: readonly string[] = ['istio-injection', 'istio.io/rev']

/** The label that turns sidecar injection on, for a namespace or with a revision for a pod. */
export function injectionLabel(revision: string | undefined): Readonly<Record<string, string>> {
  return revision === undefined ? { 'istio-injection': 'enabled' } : { 'istio.io/rev': revision }
}

export type InjectionState = 'on' | 'off' | 'opted-out' | 'ambient' | 'other-revision'

/** What a namespace's labels say. Where both labels stand, Istio's webhook goes by `istio-injection`. */
export function injectionOf(labels: Readonly<Record<string, string>>, revision: string | undefined): InjectionState {
  const injection = labels['istio-injection']
  const rev = labels['istio.io/rev']
  if (injection === 'enabled') return 'on'
  if (injection !== undefined) return 'opted-out'
  if (rev !== undefined) return rev === (revision ?? 'default') ? 'on' : 'other-revision'
  return labels['istio.io/dataplane-mode'] === 'ambient' ? 'ambient' : 'off'
}
