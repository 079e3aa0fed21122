import { hasListener, type SidecarSpec, specOf } from '../../domain/builder.ts'
import type { Installation } from '../../domain/installation.ts'
import type { Grant } from '../../domain/policy/grant.ts'
import { type BuilderPod, kanikoPod, readBuilderPod } from '../../domain/skaffold/builder-pod.ts'
import { KANIKO_LABEL, NATIVE_SIDECAR } from '../../domain/skaffold/kaniko.ts'
import type { ClusterBuild } from '../../domain/skaffold/profile.ts'
import { clusterError } from '../../errors.ts'
import type { Kube, SkaffoldPorts } from '../../ports.ts'
import { requireInstalled } from '../cluster/installed.ts'
import { readGrants } from '../grant/grants.ts'

export type ClusterFacts = { readonly at: Installation; readonly grants: readonly Grant[] }

export async function clusterFacts({ kube }: SkaffoldPorts, namespace: string): Promise<ClusterFacts> {
  const { at } = await requireInstalled(kube, namespace)
  return { at, grants: await readGrants(kube, at) }
}

/** What admission makes of a pod such as Skaffold's, from a dry run: nothing is started. */
export async function admitted(kube: Kube, build: ClusterBuild): Promise<BuilderPod> {
  const pod = await kube.create(kanikoPod(build), { dryRun: true })
  if (pod === undefined)
    throw clusterError('POD_EXISTS', `a pod kaniko-regctl-check exists in namespace "${build.namespace}"`, {
      suggestions: [`kubectl delete pod -n ${build.namespace} kaniko-regctl-check`],
    })
  return readBuilderPod(pod)
}

/** The Sidecar that applies to a build's pod: one that selects it, else the namespace's. */
export async function listensFor(kube: Kube, at: Installation, build: ClusterBuild): Promise<boolean> {
  const labels: Readonly<Record<string, string>> = { ...build.labels, ...KANIKO_LABEL }
  const specs = await sidecars(kube, build.namespace)
  const selecting = specs.filter((spec) => {
    const wanted = Object.entries(selectorOf(spec))
    return wanted.length > 0 && wanted.every(([key, value]) => labels[key] === value)
  })
  const applying = selecting.length > 0 ? selecting : specs.filter((spec) => Object.keys(selectorOf(spec)).length === 0)
  return applying.length > 0 && applying.every((spec) => hasListener(at, spec))
}

/** Labels and annotations a build's pod needs in its namespace, so that it gets the listener and ends with its build. */
export async function clusterBuild(
  { kube }: SkaffoldPorts,
  at: Installation,
  identity: { readonly namespace: string; readonly serviceAccount?: string },
): Promise<ClusterBuild> {
  const plain = { ...identity, annotations: {}, labels: {} }
  const labels = (await listensFor(kube, at, plain)) ? {} : await selectedLabels(kube, at, identity.namespace)
  const { proxy } = await admitted(kube, { ...plain, labels })
  const { major, minor } = await kube.version()
  // Before 1.29 a kubelet does not run native sidecars.
  const annotate = proxy === 'classic' && (major > 1 || minor >= 29)
  return { ...identity, labels, annotations: annotate ? NATIVE_SIDECAR : {} }
}

/** Of a grant that was given with `--pods`. */
async function selectedLabels(
  kube: Kube,
  at: Installation,
  namespace: string,
): Promise<Readonly<Record<string, string>>> {
  const selected = (await sidecars(kube, namespace)).find(
    (spec) => Object.keys(selectorOf(spec)).length > 0 && hasListener(at, spec),
  )
  return selected === undefined ? {} : { ...selectorOf(selected), 'sidecar.istio.io/inject': 'true' }
}

const selectorOf = (spec: SidecarSpec): Readonly<Record<string, string>> => spec.workloadSelector?.labels ?? {}

async function sidecars(kube: Kube, namespace: string): Promise<readonly SidecarSpec[]> {
  return (await kube.list({ apiVersion: 'networking.istio.io/v1', kind: 'Sidecar' }, { namespace })).map(specOf)
}
