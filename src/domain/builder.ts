import { createHash } from 'node:crypto'
import { INSTALLATION_LABEL, type Installation, ownerLabels } from './installation.ts'
import type { KubeObject } from './kube-object.ts'
import { GRANT_LABEL } from './policy/grant.ts'
import { INJECTION_LABELS } from './stack/injection.ts'
import { loopbackListener } from './stack/mesh.ts'

/** A label that picks the pods of a namespace that get `localhost:PORT`; absent for all of them. */
export type PodLabel = { readonly key: string; readonly value: string }

type Labels = Readonly<Record<string, string>>

/** Annotations on a builder's Namespace: labels regctl put there, and what it found in their place. */
const ADDED_LABELS = 'regctl.dev/added-labels'
const REPLACED_LABELS = 'regctl.dev/replaced-labels'

/** Turns injection on in a Namespace and keeps in it what `unlabelling` needs. */
export function labelling(namespace: KubeObject, labels: Labels): Readonly<Record<string, unknown>> {
  // Istio's webhook of a revision passes by a namespace that has the other label, whatever its value.
  const inTheWay = (key: string): boolean => key in labels || key === 'istio-injection'
  const found = Object.entries(namespace.metadata.labels ?? {}).filter(([key]) => inTheWay(key))
  const replaced = found.length === 0 ? null : JSON.stringify(Object.fromEntries(found))
  const gone = Object.fromEntries(found.map(([key]) => [key, null]))
  return {
    labels: { ...gone, ...labels },
    annotations: { [ADDED_LABELS]: JSON.stringify(labels), [REPLACED_LABELS]: replaced },
  }
}

/** Takes the labels off again, or back to what they were; undefined where regctl put none. */
export function unlabelling({ metadata }: KubeObject): Readonly<Record<string, unknown>> | undefined {
  if (metadata.annotations?.[ADDED_LABELS] === undefined) return undefined
  const replaced = labelsIn(metadata.annotations[REPLACED_LABELS])
  // Only while they are as regctl set them: somebody may have changed them since.
  const ours = Object.entries(labelsIn(metadata.annotations[ADDED_LABELS])).filter(
    ([key, value]) => metadata.labels?.[key] === value,
  )
  return {
    labels: { ...Object.fromEntries(ours.map(([key]) => [key, null])), ...(ours.length === 0 ? {} : replaced) },
    annotations: { [ADDED_LABELS]: null, [REPLACED_LABELS]: null },
  }
}

/** An annotation is easier to come by than a label, so none but labels of injection are read from it. */
function labelsIn(text = '{}'): Labels {
  try {
    const labels: unknown = JSON.parse(text)
    if (typeof labels !== 'object' || labels === null) return {}
    return Object.fromEntries(
      Object.entries(labels).filter(([key, value]) => INJECTION_LABELS.includes(key) && typeof value === 'string'),
    )
  } catch {
    return {}
  }
}

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
