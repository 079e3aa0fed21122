import type { Installation } from '../../domain/installation.ts'
import type { Grant } from '../../domain/policy/grant.ts'
import { type BuilderPod, kanikoPod, readBuilderPod } from '../../domain/skaffold/builder-pod.ts'
import { KANIKO_LABEL, NATIVE_SIDECAR } from '../../domain/skaffold/kaniko.ts'
import type { ClusterBuild } from '../../domain/skaffold/profile.ts'
import { clusterError } from '../../errors.ts'
import type { Kube, SkaffoldPorts } from '../../ports.ts'
import { requireInstalled } from '../cluster/installed.ts'
import { readGrants } from '../grant/grants.ts'
import { listenerLabels } from '../grant/listener.ts'

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

/** Labels and annotations a build's pod needs in its namespace, so that it gets the listener and ends with its build. */
export async function clusterBuild(
  { kube }: SkaffoldPorts,
  at: Installation,
  identity: { readonly namespace: string; readonly serviceAccount?: string },
): Promise<ClusterBuild> {
  const plain = { ...identity, annotations: {}, labels: {} }
  const labels = await listenerLabels(kube, at, identity.namespace, KANIKO_LABEL)
  const { proxy } = await admitted(kube, { ...plain, labels })
  const { major, minor } = await kube.version()
  // Before 1.29 a kubelet does not run native sidecars.
  const annotate = proxy === 'classic' && (major > 1 || minor >= 29)
  return { ...identity, labels, annotations: annotate ? NATIVE_SIDECAR : {} }
}
