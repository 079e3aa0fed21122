import type { V1Pod } from '@kubernetes/client-node'
import {
  builderSidecar,
  builderSidecarName,
  hasListener,
  isOwnSidecar,
  labelling,
  MERGED_LISTENER,
  type PodLabel,
  type SidecarSpec,
  specOf,
  withListener,
} from '../../domain/builder.ts'
import type { Installation } from '../../domain/installation.ts'
import type { KubeObject } from '../../domain/kube-object.ts'
import { injectionLabel, injectionOf } from '../../domain/stack/injection.ts'
import { conflictError } from '../../errors.ts'
import type { Kube } from '../../ports.ts'
import { isOurs } from '../cluster/ownership.ts'
import { checkPods, podsWithoutProxy } from './builder-pods.ts'
import { namespaceRef } from './grants.ts'

export type BuilderOptions = {
  readonly pods?: PodLabel
  readonly inject: boolean
  readonly mergeSidecar: boolean
  readonly revision?: string
}

/** What has to change in a builder's namespace so that its pods have `localhost:PORT`. */
export type BuilderPlan = {
  readonly labels: Readonly<Record<string, string>>
  readonly sidecar?: KubeObject
  /** A foreign Sidecar to add the listener to, because `--merge-sidecar` said so. */
  readonly merge?: { readonly name: string; readonly spec: SidecarSpec }
}

const SIDECAR = { apiVersion: 'networking.istio.io/v1', kind: 'Sidecar' } as const

/**
 * Looks at the namespace and plans the least change.
 * @throws conflict error (exit 4) where it would break an application or touch what is not regctl's
 */
export async function planBuilder(
  kube: Kube,
  at: Installation,
  namespace: KubeObject,
  options: BuilderOptions,
): Promise<BuilderPlan> {
  const name = namespace.metadata.name
  const pods = (await kube.list({ apiVersion: 'v1', kind: 'Pod' }, { namespace: name })) as unknown as V1Pod[]
  checkPods(at, name, pods, options.pods)
  const labels = options.pods === undefined ? planInjection(namespace, pods, options) : {}
  const sidecars = await kube.list(SIDECAR, { namespace: name })
  return { labels, ...(await planSidecar(kube, at, name, sidecars, options)) }
}

function planInjection(
  namespace: KubeObject,
  pods: readonly V1Pod[],
  options: BuilderOptions,
): Readonly<Record<string, string>> {
  const name = namespace.metadata.name
  const state = injectionOf(namespace.metadata.labels ?? {}, options.revision)
  if (state === 'on') return {}
  const refuse = (why: string): never => {
    throw conflictError('INJECTION', `namespace "${name}" ${why}`, {
      suggestions: [
        'add --inject, if its applications may get an Istio proxy at their next restart',
        'add --pods KEY=VALUE, to take in labelled pods only',
      ],
    })
  }
  if (!options.inject) {
    if (state === 'opted-out') refuse('is opted out of Istio injection (label istio-injection)')
    if (state === 'other-revision') refuse('is injected by another revision of Istio (label istio.io/rev)')
    if (state === 'ambient') refuse('is ambient: its pods have no proxy that could hold localhost')
    const without = podsWithoutProxy(pods)
    if (without.length > 0) refuse(`runs pods without an Istio proxy: ${without.slice(0, 5).join(', ')}`)
  }
  return injectionLabel(options.revision)
}

async function planSidecar(
  kube: Kube,
  at: Installation,
  namespace: string,
  sidecars: readonly KubeObject[],
  options: BuilderOptions,
): Promise<Omit<BuilderPlan, 'labels'>> {
  const own = sidecars.filter((sidecar) => isOurs(sidecar, at))
  checkSelectors(namespace, own, options.pods)
  const present = own.find((sidecar) => sidecar.metadata.name === builderSidecarName(options.pods))
  if (present !== undefined) return {}
  const foreign = sidecars.filter((sidecar) => !isOwnSidecar(sidecar))
  const clash = foreign.find((sidecar) => options.pods === undefined || appliesTo(specOf(sidecar), options.pods))
  if (clash === undefined) {
    return { sidecar: builderSidecar(at, namespace, options.pods, await meshDefault(kube)) }
  }
  if (hasListener(at, specOf(clash))) return {}
  const merged = withListener(at, specOf(clash))
  if (options.mergeSidecar) return { merge: { name: clash.metadata.name, spec: merged } }
  throw conflictError(
    'FOREIGN_SIDECAR',
    `Sidecar ${namespace}/${clash.metadata.name} is not regctl's, and only one Sidecar applies to a pod`,
    {
      suggestions: [
        'add --merge-sidecar, to have this entry put into it',
        `add to its spec.egress, as first entry: ${JSON.stringify(merged.egress?.[0])}`,
      ],
      details: { sidecar: `${namespace}/${clash.metadata.name}`, egress: merged.egress?.[0] },
    },
  )
}

/** A namespace-wide Sidecar yields to a selected one, so only a selector that can meet the same pods clashes. */
function appliesTo(spec: SidecarSpec, pods: PodLabel): boolean {
  const labels = spec.workloadSelector?.labels ?? {}
  return Object.keys(labels).length > 0 && (labels[pods.key] === undefined || labels[pods.key] === pods.value)
}

/** Two selectors can meet in one pod unless they ask different values of one label. */
function checkSelectors(namespace: string, own: readonly KubeObject[], pods: PodLabel | undefined): void {
  const name = builderSidecarName(pods)
  for (const sidecar of own) {
    if (sidecar.metadata.name === name) continue
    const labels = specOf(sidecar).workloadSelector?.labels ?? {}
    const [key, value] = Object.entries(labels)[0] ?? []
    if (pods !== undefined && key === pods.key && value !== pods.value) continue
    const held = key === undefined ? 'all pods of the namespace' : `pods labelled ${key}=${value}`
    throw conflictError(
      'TWO_SIDECARS',
      `namespace "${namespace}" has the listener for ${held}; two Sidecars must not meet in one pod`,
      {
        suggestions: [
          key === undefined ? 'leave --pods out' : `use --pods ${key}=${value}`,
          `regctl revoke ${namespace} --all, to start over`,
        ],
      },
    )
  }
}

/** The Sidecar that applies to namespaces without one of their own. */
async function meshDefault(kube: Kube): Promise<SidecarSpec | undefined> {
  const istiods = await kube.list({ apiVersion: 'apps/v1', kind: 'Deployment' }, { labelSelector: 'app=istiod' })
  const root = istiods[0]?.metadata.namespace ?? 'istio-system'
  const found = (await kube.list(SIDECAR, { namespace: root })).find(
    (sidecar) => specOf(sidecar).workloadSelector === undefined,
  )
  return found === undefined ? undefined : specOf(found)
}

/** Carries the plan out. */
export async function prepareBuilder(kube: Kube, object: KubeObject, plan: BuilderPlan): Promise<void> {
  const namespace = object.metadata.name
  if (plan.sidecar !== undefined) await kube.apply(plan.sidecar, { force: true })
  if (plan.merge !== undefined) {
    await kube.mergePatch(
      { ...SIDECAR, namespace, name: plan.merge.name },
      { metadata: { annotations: { [MERGED_LISTENER]: 'true' } }, spec: { egress: plan.merge.spec.egress } },
    )
  }
  if (Object.keys(plan.labels).length === 0) return
  await kube.mergePatch(namespaceRef(namespace), { metadata: labelling(object, plan.labels) })
}
