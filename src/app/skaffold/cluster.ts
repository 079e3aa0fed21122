import type { Installation } from '../../domain/installation.ts'
import type { Grant } from '../../domain/policy/grant.ts'
import { type BuilderPod, kanikoPod, readBuilderPod } from '../../domain/skaffold/builder-pod.ts'
import { KANIKO_LABEL, NATIVE_SIDECAR } from '../../domain/skaffold/kaniko.ts'
import type { ClusterBuild } from '../../domain/skaffold/profile.ts'
import { clusterError } from '../../errors.ts'
import type { Kube, SkaffoldPorts } from '../../ports.ts'
import { requireInstalled } from '../cluster/installed.ts'
import { mutationApi } from '../cluster/mutation.ts'
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
  const labels = await listenerLabels(kube, at, identity.namespace, KANIKO_LABEL)
  const plain = { ...identity, labels, annotations: {} }
  const { proxy } = await admitted(kube, plain)
  const { major, minor } = await kube.version()
  // Before 1.29 a kubelet does not run native sidecars.
  const native = major > 1 || minor >= 29
  if (proxy === 'classic' && !native) return { ...plain, ownBuilder: true }
  const build = proxy === 'classic' ? { ...plain, annotations: NATIVE_SIDECAR } : plain
  return (await losesContext(kube, build)) ? { ...build, ownBuilder: true } : build
}

/** Where a grant cannot put Skaffold's context container first. */
async function losesContext(kube: Kube, build: ClusterBuild): Promise<boolean> {
  if ((await mutationApi(kube)) !== undefined) return false
  const { proxy, contextFirst } = await admitted(kube, build)
  return proxy === 'native' && !contextFirst
}
