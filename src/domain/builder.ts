import { createHash } from 'node:crypto'
import { INSTALLATION_LABEL, type Installation, ownerLabels } from './installation.ts'
import type { KubeObject } from './kube-object.ts'
import { GRANT_LABEL } from './policy/grant.ts'
import { loopbackListener } from './stack/mesh.ts'

/** A label that picks the pods of a namespace that get `localhost:PORT`; absent for all of them. */
export type PodLabel = { readonly key: string; readonly value: string }

/** Annotation on a builder's Namespace: labels regctl added to it, to be taken off by the last revoke. */
export const ADDED_LABELS = 'regctl.dev/added-labels'

/** Annotation on a builder's Namespace: labels as they were that regctl had to replace, to come back with the last revoke. */
export const REPLACED_LABELS = 'regctl.dev/replaced-labels'

/** Annotation on a Sidecar of others that regctl put the listener into: only there does the last revoke take it out. */
export const MERGED_LISTENER = 'regctl.dev/merged-listener'

export type SidecarSpec = {
  readonly workloadSelector?: { readonly labels?: Readonly<Record<string, string>> }
  readonly egress?: readonly Readonly<Record<string, unknown>>[]
  readonly [field: string]: unknown
}

export function builderSidecarName(pods: PodLabel | undefined): string {
  if (pods === undefined) return 'regctl-localhost'
  return `regctl-localhost-${createHash('sha256').update(`${pods.key}=${pods.value}`).digest('hex').slice(0, 8)}`
}

/**
 * Gives a builder's pods `localhost:PORT` and leaves the rest of the mesh as it was: the last entry is what a
 * Sidecar of the root namespace says, or everything, because the first Sidecar that fits replaces all others.
 */
export function builderSidecar(
  at: Installation,
  namespace: string,
  pods: PodLabel | undefined,
  meshDefault: SidecarSpec | undefined,
): KubeObject {
  const { egress: hosts = [{ hosts: ['*/*'] }], workloadSelector: _selector, ...rest } = meshDefault ?? {}
  return {
    apiVersion: 'networking.istio.io/v1',
    kind: 'Sidecar',
    metadata: {
      name: builderSidecarName(pods),
      namespace,
      labels: { ...ownerLabels(at), [GRANT_LABEL]: namespace },
    },
    spec: {
      ...(pods === undefined ? {} : { workloadSelector: { labels: { [pods.key]: pods.value } } }),
      ...rest,
      egress: [loopbackListener(at), ...hosts],
    },
  }
}

/** Is the listener in this Sidecar already, whoever wrote it? */
export function hasListener(at: Installation, spec: SidecarSpec): boolean {
  return (spec.egress ?? []).some(
    (entry) => entry.bind === '127.0.0.1' && (entry.port as { number?: number } | undefined)?.number === at.port,
  )
}

/** A foreign Sidecar's egress with our listener in front. */
export function withListener(at: Installation, spec: SidecarSpec): SidecarSpec {
  return { ...spec, egress: [loopbackListener(at), ...(spec.egress ?? [{ hosts: ['*/*'] }])] }
}

export function withoutListener(at: Installation, spec: SidecarSpec): SidecarSpec {
  return {
    ...spec,
    egress: (spec.egress ?? []).filter((entry) => !hasListener(at, { egress: [entry] })),
  }
}

export const isOwnSidecar = (sidecar: KubeObject): boolean =>
  sidecar.metadata.labels?.[INSTALLATION_LABEL] !== undefined

export const specOf = (sidecar: KubeObject): SidecarSpec => sidecar.spec as SidecarSpec
