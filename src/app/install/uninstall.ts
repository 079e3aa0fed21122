import type { Installation } from '../../domain/installation.ts'
import { OTHER_TYPES, OWNED_TYPES, WORKLOAD_KINDS } from '../../domain/kinds.ts'
import { describeRef, type KubeObject, type ObjectRef, refOf } from '../../domain/kube-object.ts'
import { GRANT_LABEL } from '../../domain/policy/grant.ts'
import { namespacesOf } from '../../domain/stack/stack.ts'
import { clusterError, conflictError } from '../../errors.ts'
import type { Kube, Ports } from '../../ports.ts'
import { findInstalled } from '../cluster/installed.ts'
import { isOurs, ownedObjects } from '../cluster/ownership.ts'
import { podsOf } from '../cluster/proxy.ts'
import { namespaceRef } from '../grant/grants.ts'
import { tidyNamespace } from '../grant/revoke.ts'

export type UninstallResult = {
  readonly removed: readonly string[]
  /** Objects of others in our namespaces; they and the namespace stay. */
  readonly foreign: readonly string[]
  readonly dataKept: boolean
}

/**
 * Removes what regctl owns: what serves first, the policies after its last request, the namespaces last.
 * @throws conflict error (exit 4) DATA_WOULD_GO on emptydir without `deleteData`
 */
export async function uninstall(
  ports: Ports,
  namespace: string,
  options: { readonly deleteData: boolean; readonly timeoutMs: number },
): Promise<UninstallResult> {
  const { kube, report } = ports
  const installed = await findInstalled(kube, namespace)
  const at: Installation = installed?.at ?? { namespace, port: 5000, clusterDomain: 'cluster.local' }
  if (installed?.settings.storage === 'emptydir' && !options.deleteData) {
    throw conflictError(
      'DATA_WOULD_GO',
      'the registry keeps its images in its pod (storage emptydir), so they go with it',
      {
        suggestions: ['regctl down --delete-data'],
      },
    )
  }
  const owned = await ownedObjects(kube, at)
  const workloads = owned.filter((object) => WORKLOAD_KINDS.has(object.kind))
  const removed: string[] = []
  const remove = async (object: KubeObject) => {
    if (await kube.remove(refOf(object))) removed.push(describeRef(refOf(object)))
  }
  await report.step('Stop the registry and the node proxies', async (note) => {
    for (const object of workloads) await remove(object)
    await podsGone(ports, at, options.timeoutMs, note)
  })
  await report.step('Remove policies, settings and builders’ listeners', async () => {
    await tidyBuilders(ports, at, owned)
    const rest = owned.filter((object) => !WORKLOAD_KINDS.has(object.kind) && object.kind !== 'Namespace')
    for (const object of [...rest].reverse())
      if (options.deleteData || object.kind !== 'PersistentVolumeClaim') await remove(object)
  })
  const claims = await kube.list({ apiVersion: 'v1', kind: 'PersistentVolumeClaim' }, { namespace })
  const foreign = await foreignObjects(kube, at)
  const dataKept = claims.length > 0 && !options.deleteData
  await report.step('Remove the namespaces', async () => {
    for (const name of [...namespacesOf(at)].reverse()) {
      const object = await kube.get(namespaceRef(name))
      const holdsData = name === at.namespace && dataKept
      const holdsOthers = foreign.some((ref) => ref.namespace === name)
      if (object !== undefined && isOurs(object, at) && !holdsData && !holdsOthers) await remove(object)
    }
    await namespacesGone(ports, at, removed, options.timeoutMs)
  })
  return { removed, foreign: foreign.map(describeRef), dataKept }
}

async function podsGone(
  ports: Ports,
  at: Installation,
  timeoutMs: number,
  note: (text: string) => void,
): Promise<void> {
  const deadline = ports.clock.now() + timeoutMs
  for (;;) {
    const left = await podsOf(ports, at)
    if (left.length === 0) return
    note(`${left.length} pods left`)
    if (ports.clock.now() > deadline) {
      const names = left.map((pod) => `${pod.metadata?.namespace}/${pod.metadata?.name}`).join(', ')
      throw clusterError(
        'PODS_STAY',
        `pod ${names} did not end in ${Math.round(timeoutMs / 1000)} s; the policies stay until they do`,
        {
          suggestions: [
            'regctl down, again, once no other regctl up runs',
            ...left.map(({ metadata }) => `kubectl describe pod -n ${metadata?.namespace} ${metadata?.name}`),
          ],
        },
      )
    }
    await ports.clock.sleep(500, ports.signal)
  }
}

/** Granted namespaces get back the labels and Sidecars they had. */
async function tidyBuilders(ports: Ports, at: Installation, owned: readonly KubeObject[]): Promise<void> {
  // Policies and Sidecars carry it alike, so that one of them left behind is enough.
  for (const name of new Set(owned.flatMap(({ metadata }) => metadata.labels?.[GRANT_LABEL] ?? []))) {
    if (namespacesOf(at).includes(name)) continue
    const namespace = await ports.kube.get(namespaceRef(name))
    if (namespace !== undefined) await tidyNamespace(ports, at, namespace, [])
  }
}

/** What a namespace holds without anybody having put it there. */
const FURNITURE = /^(ConfigMap (kube-root-ca\.crt|istio-ca-root-cert|istio-ca-crl)|ServiceAccount default)$/

/** Objects in our namespaces that are not ours; derived ones (pods, replica sets) do not count. */
export async function foreignObjects(
  kube: Kube,
  at: Installation,
  homes = namespacesOf(at),
): Promise<readonly ObjectRef[]> {
  const namespaced = [...OWNED_TYPES.slice(1), ...OTHER_TYPES].filter(
    (type) => !type.apiVersion.startsWith('admissionregistration'),
  )
  const lists = await Promise.all(
    namespaced.flatMap((type) => homes.map((namespace) => kube.list(type, { namespace }))),
  )
  return lists
    .flat()
    .filter((object) => !isOurs(object, at) && !FURNITURE.test(`${object.kind} ${object.metadata.name}`))
    .filter(
      (object) => object.metadata.ownerReferences === undefined && object.metadata.deletionTimestamp === undefined,
    )
    .map(refOf)
}

export async function namespacesGone(
  { kube, clock, signal }: Ports,
  at: Installation,
  removed: readonly string[],
  timeoutMs: number,
): Promise<void> {
  const deadline = clock.now() + timeoutMs
  for (const name of namespacesOf(at)) {
    if (!removed.includes(`Namespace ${name}`)) continue
    while ((await kube.get(namespaceRef(name))) !== undefined) {
      if (clock.now() > deadline)
        throw clusterError('NAMESPACE_STAYS', `namespace "${name}" is still being deleted`, {
          suggestions: [`kubectl get namespace ${name} -o yaml`],
        })
      await clock.sleep(500, signal)
    }
  }
}
