import { refOf } from '../../domain/kube-object.ts'
import type { BuilderPod } from '../../domain/skaffold/builder-pod.ts'
import type { ClusterUse, Problem } from '../../domain/skaffold/check.ts'
import { KANIKO_LABEL, NATIVE_SIDECAR } from '../../domain/skaffold/kaniko.ts'
import { contextFirstName, MUTATION_KIND } from '../../domain/stack/context-first.ts'
import { RegctlError } from '../../errors.ts'
import type { Kube, SkaffoldPorts } from '../../ports.ts'
import { mutationApi } from '../cluster/mutation.ts'
import { namespaceRef } from '../grant/grants.ts'
import { listensFor } from '../grant/listener.ts'
import { admitted, type ClusterFacts } from './cluster.ts'

/** What is in the way of Skaffold's Kaniko pods in one namespace, or by which way they get their context. */
export type PodsChecked = { readonly problems: readonly Problem[]; readonly ways: readonly string[] }

/** Needs nothing of the cluster's admission: regctl waits for the right container and ends the pod. */
const OWN_WAY = 'build it by regctl build: custom: {buildCommand: regctl build} in place of docker or kaniko'

export async function checkPods({ kube }: SkaffoldPorts, { at }: ClusterFacts, use: ClusterUse): Promise<PodsChecked> {
  const { where, namespace } = use
  const say = (what: string, fix: string): PodsChecked => ({ problems: [{ where, what, fix }], ways: [] })
  const grant = `regctl grant ${namespace} REPOSITORY`
  if (!use.kaniko) return { problems: [], ways: [`builds in namespace "${namespace}": regctl build`] }
  if ((await kube.get(namespaceRef(namespace))) === undefined)
    return say(`namespace "${namespace}" of the builds does not exist`, `kubectl create namespace ${namespace}`)
  try {
    const pod = await admitted(kube, use)
    if (pod.proxy === 'none')
      return say(`builds in namespace "${namespace}" get no Istio proxy, so they have no localhost:${at.port}`, grant)
    const labels = { ...use.labels, ...KANIKO_LABEL }
    const listener = (await listensFor(kube, at, namespace, labels))
      ? []
      : say(`builds in namespace "${namespace}" have no listener on localhost:${at.port}`, grant).problems
    const { problems, ways } =
      pod.proxy === 'classic' ? say(...endless(namespace)) : await order(kube, namespace, pod, say)
    return { problems: [...listener, ...problems], ways }
  } catch (error) {
    if (!(error instanceof RegctlError)) throw error
    return say(`no build can start in namespace "${namespace}": ${error.message}`, error.suggestions[0] ?? grant)
  }
}

function endless(namespace: string): readonly [string, string] {
  const [[key, value] = ['', '']] = Object.entries(NATIVE_SIDECAR)
  return [
    `builds in namespace "${namespace}" would never end: their Istio proxy is no native sidecar`,
    `annotate them ${key}: "${value}" (build.cluster.annotations), or: regctl skaffold-init`,
  ]
}

/** Skaffold 2.16.1 sends the context as soon as any init container runs, and the proxy is one. */
async function order(
  kube: Kube,
  namespace: string,
  { contextFirst, first }: BuilderPod,
  say: (what: string, fix: string) => PodsChecked,
): Promise<PodsChecked> {
  const apiVersion = await mutationApi(kube)
  const ref = { apiVersion: apiVersion ?? '', kind: MUTATION_KIND, name: contextFirstName(namespace) }
  // Cluster-wide objects are not for everybody to read; then the dry run alone speaks.
  const policy = apiVersion === undefined ? undefined : await kube.get(ref).catch(ignoreForbidden)
  const name = policy === undefined ? undefined : `${MUTATION_KIND} ${refOf(policy).name}`
  if (contextFirst) {
    const by = name === undefined ? 'is first' : `is put first by ${name}`
    return { problems: [], ways: [`builds in namespace "${namespace}": Kaniko, whose context container ${by}`] }
  }
  const lost = `in namespace "${namespace}" container ${first} starts before Skaffold's context container, so Skaffold loses the race to send the context`
  if (apiVersion === undefined)
    return say(
      `${lost}; this cluster has no ${MUTATION_KIND} that could put it first`,
      'regctl skaffold-init, which makes regctl build the builder',
    )
  if (name !== undefined) return say(`${lost}, in spite of ${name}: another webhook comes after it`, OWN_WAY)
  return say(lost, `regctl grant ${namespace} REPOSITORY, which puts it first by a ${MUTATION_KIND}`)
}

function ignoreForbidden(error: unknown): undefined {
  if (error instanceof RegctlError && error.code === 'FORBIDDEN') return undefined
  throw error
}
