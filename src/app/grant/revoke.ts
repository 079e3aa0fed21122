import type { V1Pod } from '@kubernetes/client-node'
import { hasListener, MERGED_LISTENER, specOf, unlabelling, withoutListener } from '../../domain/builder.ts'
import type { Installation } from '../../domain/installation.ts'
import type { KubeObject, ObjectRef } from '../../domain/kube-object.ts'
import { refOf } from '../../domain/kube-object.ts'
import { expectations, revokedExpectations } from '../../domain/policy/expectation.ts'
import { type Grant, grantKey, grantName, isDeveloper } from '../../domain/policy/grant.ts'
import { privateExpectations } from '../../domain/policy/private-expectation.ts'
import { isReady } from '../../domain/ready-pods.ts'
import { shellWord } from '../../domain/shell-word.ts'
import { clusterError, usageError } from '../../errors.ts'
import type { Ports } from '../../ports.ts'
import { requireInstalled } from '../cluster/installed.ts'
import { meshTrustDomain } from '../cluster/mesh.ts'
import { isOurs } from '../cluster/ownership.ts'
import { registryPods } from '../cluster/proxy.ts'
import { together } from '../cluster/together.ts'
import { readGiven } from '../policies/given.ts'
import { settlePolicies } from '../policies/settle.ts'
import { readTenants } from '../tenant/state.ts'
import { settleContextFirst } from './context-first.ts'
import { tidyAccounts } from './developer-account.ts'
import { grantsOf, namespaceRef, readGrants } from './grants.ts'
import { prove } from './prove.ts'

export type RevokeSelection = {
  readonly namespace: string
  /** Absent with `--all`. */
  readonly repository?: string
  /** `null` for the grant of every service account. */
  readonly serviceAccount?: string | null
  readonly exact?: boolean
  readonly readOnly?: boolean
  readonly developer?: string
}

export type RevokeResult = {
  readonly revoked: readonly Grant[]
  readonly provenIn: number
  readonly replaced: readonly string[]
}

/**
 * Revokes and returns when every Ready registry proxy refuses. What cannot be proven stays revoked and is an error.
 * @throws usage error AMBIGUOUS with the list when several grants fit
 */
export async function revoke(
  ports: Ports,
  registryNamespace: string,
  selection: RevokeSelection,
  options: { readonly now: boolean; readonly timeoutMs: number },
): Promise<RevokeResult> {
  const { kube, report } = ports
  const { at, settings } = await requireInstalled(kube, registryNamespace)
  const revoked = select(await readGrants(kube, at), selection)
  const namespace = await kube.get(namespaceRef(selection.namespace))
  const isOfDevelopers = selection.developer !== undefined || revoked.some(isDeveloper)
  if (revoked.length === 0) {
    if (isOfDevelopers) await tidyAccounts(kube, at, selection.namespace)
    return { revoked, provenIn: 0, replaced: [] }
  }
  const trustDomain = await meshTrustDomain(ports, at, settings.revision)
  await report.step('Remove the policies', async () => {
    for (const grant of revoked) await kube.remove(policyRef(at, grant))
    await settlePolicies(kube, at)
  })
  const left = await readGrants(kube, at)
  if (isOfDevelopers) await tidyAccounts(kube, at, selection.namespace)
  if (namespace !== undefined && !revoked.every(isDeveloper)) await tidyBuilders(ports, at, [namespace], left)
  const wanted = async () => {
    const [given, tenants] = await Promise.all([readGiven(kube, at), readTenants(kube, at)])
    const now = grantsOf(selection.namespace, given.grants)
    return [
      ...expectations(at, trustDomain, now),
      ...privateExpectations(at, trustDomain, tenants, given, [selection.namespace]),
      ...revoked.flatMap((grant) => revokedExpectations(at, trustDomain, grant, now)),
    ]
  }
  const provenIn = await report.step("Prove the refusal in the registry's proxy", () =>
    prove(ports, at, wanted, options.timeoutMs),
  )
  const replaced = options.now ? await replaceRegistry(ports, at) : []
  return { revoked, provenIn, replaced }
}

function select(grants: readonly Grant[], selection: RevokeSelection): readonly Grant[] {
  const fits = grants.filter(
    (grant) =>
      grant.namespace === selection.namespace &&
      (selection.repository === undefined || grant.repository === selection.repository) &&
      (selection.serviceAccount === undefined || grant.serviceAccount === (selection.serviceAccount ?? undefined)) &&
      (selection.exact === undefined || grant.exact === selection.exact) &&
      (selection.readOnly === undefined || grant.readOnly === selection.readOnly) &&
      (selection.developer === undefined || grant.developer === selection.developer),
  )
  if (selection.repository === undefined || fits.length < 2) return fits
  throw usageError('AMBIGUOUS', `${fits.length} grants fit: ${fits.map(grantKey).join('; ')}`, {
    suggestions: fits.map(revokeCommand),
  })
}

/** The command that revokes exactly this grant. */
export function revokeCommand(grant: Grant): string {
  return [
    `regctl revoke ${grant.namespace} ${grant.repository}`,
    grant.serviceAccount === undefined ? '--no-service-account' : `--service-account ${grant.serviceAccount}`,
    grant.exact ? '--exact' : '--no-exact',
    grant.readOnly ? '--read-only' : '--no-read-only',
    ...(grant.developer === undefined ? [] : [`--developer ${shellWord(grant.developer)}`]),
  ].join(' ')
}

const policyRef = (at: Installation, grant: Grant): ObjectRef => ({
  apiVersion: 'security.istio.io/v1',
  kind: 'AuthorizationPolicy',
  namespace: at.namespace,
  name: grantName(grant),
})

/** Undoes a grant that was just made. */
export const takeBack = (ports: Ports, at: Installation, grant: Grant): Promise<void> => takeAllBack(ports, at, [grant])

/** Takes grants out of the cluster, with what they left in their namespaces; nothing is proven. */
export async function takeAllBack(ports: Ports, at: Installation, taken: readonly Grant[]): Promise<void> {
  const { kube } = ports
  await together(taken, (grant) => kube.remove(policyRef(at, grant)))
  await settlePolicies(kube, at)
  const left = await readGrants(kube, at)
  for (const grant of taken) if (isDeveloper(grant)) await tidyAccounts(kube, at, grant.namespace)
  const builders = taken.filter((grant) => !isDeveloper(grant))
  const found = await together(builders, ({ namespace }) => kube.get(namespaceRef(namespace)))
  await tidyBuilders(
    ports,
    at,
    found.filter((namespace) => namespace !== undefined),
    left,
  )
}

async function tidyBuilders(
  ports: Ports,
  at: Installation,
  namespaces: readonly KubeObject[],
  left: readonly Grant[],
): Promise<void> {
  await together(namespaces, (namespace) => tidyNamespace(ports, at, namespace, left))
  for (const warning of (await settleContextFirst(ports.kube, at, namespaces)).warnings) ports.report.warn(warning)
}

const SIDECAR = { apiVersion: 'networking.istio.io/v1', kind: 'Sidecar' } as const

/** With the last builder's grant of a namespace go its listener and the labels regctl put on it. */
export async function tidyNamespace(
  { kube }: Ports,
  at: Installation,
  namespace: KubeObject,
  left: readonly Grant[],
): Promise<void> {
  const name = namespace.metadata.name
  if (left.some((grant) => grant.namespace === name && !isDeveloper(grant))) return
  const sidecars = await kube.list(SIDECAR, { namespace: name })
  for (const sidecar of sidecars.filter((candidate) => isOurs(candidate, at))) await kube.remove(refOf(sidecar))
  // Somebody may have put the listener in by hand, as the refusal of a grant says: that one stays.
  const merged = sidecars.filter((candidate) => candidate.metadata.annotations?.[MERGED_LISTENER] !== undefined)
  for (const sidecar of merged.filter((candidate) => hasListener(at, specOf(candidate)))) {
    const { egress } = withoutListener(at, specOf(sidecar))
    await kube.mergePatch(refOf(sidecar), {
      metadata: { annotations: { [MERGED_LISTENER]: null } },
      spec: { egress },
    })
  }
  const metadata = unlabelling(namespace)
  if (metadata !== undefined) await kube.mergePatch(namespaceRef(name), { metadata })
}

/** Ends every open connection at once by a new pod; transfers of everybody are cut. */
export async function replaceRegistry(ports: Ports, at: Installation): Promise<readonly string[]> {
  const pods = (await registryPods(ports, at)).map((pod) => pod.metadata?.name ?? '')
  if (pods.length === 0) return pods
  ports.report.warn(
    `Replacing pod ${pods.join(', ')} now: running pushes and pulls of every namespace and node are cut`,
  )
  return ports.report.step("Replace the registry's pod", async () => {
    for (const name of pods)
      await ports.kube.remove(
        { apiVersion: 'v1', kind: 'Pod', namespace: at.namespace, name },
        { gracePeriodSeconds: 1 },
      )
    const deadline = ports.clock.now() + 15_000
    for (;;) {
      const ready = (await registryPods(ports, at)).filter(
        (pod: V1Pod) => isReady(pod) && !pods.includes(pod.metadata?.name ?? ''),
      )
      if (ready.length > 0) return pods
      if (ports.clock.now() > deadline)
        throw clusterError('NOT_REPLACED', 'the old pod is gone, but no new one is ready after 15 s', {
          suggestions: ['regctl status'],
        })
      await ports.clock.sleep(300, ports.signal)
    }
  })
}
