import type { V1Pod } from '@kubernetes/client-node'
import type { Installation } from '../../domain/installation.ts'
import { isWithin } from '../../domain/repository.ts'
import { repositoryOf } from '../../domain/tenant/image-rules.ts'
import { spellings } from '../../domain/tenant/spelling.ts'
import { findTenant, isShared, type Share, type Tenants, tenantOf } from '../../domain/tenant/tenants.ts'
import { preconditionError, usageError } from '../../errors.ts'
import type { Kube, Ports } from '../../ports.ts'
import { type Installed, requireInstalled } from '../cluster/installed.ts'
import { meshTrustDomain } from '../cluster/mesh.ts'
import { requireNamespace } from '../grant/grant.ts'
import { settleTenants } from '../policies/settle.ts'
import { proveTenants } from './prove.ts'
import { changeTenants, readTenants } from './state.ts'
import { imagesOf } from './uses.ts'

export type ShareResult = {
  readonly repository: string
  readonly namespace: string
  readonly changed: boolean
  readonly warnings: readonly string[]
  readonly provenIn: number
}

const isSame = (share: Share, repository: string, namespace: string): boolean =>
  share.repository === repository && share.namespace === namespace

/** Lets a namespace use a tenant's repository, and all below it, as if it were public. */
export async function share(
  ports: Ports,
  registryNamespace: string,
  repository: string,
  namespace: string,
  timeoutMs: number,
): Promise<ShareResult> {
  const installed = await requireInstalled(ports.kube, registryNamespace)
  const { at } = installed
  const tenant = requireTenant(await readTenants(ports.kube, at), repository, namespace)
  const uid = (await requireNamespace(ports, namespace)).metadata.uid ?? ''
  const changed = await changeTenants(ports.kube, at, (state) => {
    requireTenant(state, repository, namespace)
    if (state.shares.some((one) => isSame(one, repository, namespace) && one.uid === uid)) return undefined
    // What a namespace of that name had before it was made anew is not its successor's.
    const others = state.shares.filter(
      (one) =>
        !isSame(one, repository, namespace) &&
        (one.namespace !== namespace || one.uid === uid || tenantOf(one.repository) !== tenant.namespace),
    )
    return { ...state, shares: [...others, { repository, namespace, uid }] }
  })
  const provenIn = await follow(ports, installed, [tenant.namespace, namespace], timeoutMs)
  const warnings = tenant.private
    ? []
    : [`tenant ${tenant.namespace} is public: everybody may read ${repository} already`]
  return { repository, namespace, changed, warnings, provenIn }
}

/** Takes a share back; pods that run go on. */
export async function unshare(
  ports: Ports,
  registryNamespace: string,
  repository: string,
  namespace: string,
  timeoutMs: number,
): Promise<ShareResult> {
  const installed = await requireInstalled(ports.kube, registryNamespace)
  const { at } = installed
  const changed = await changeTenants(ports.kube, at, (state) => {
    const shares = state.shares.filter((one) => !isSame(one, repository, namespace))
    return shares.length === state.shares.length ? undefined : { ...state, shares }
  })
  const provenIn = await follow(ports, installed, [tenantOf(repository), namespace], timeoutMs)
  const state = await readTenants(ports.kube, at)
  const still = isShared(state, repository, namespace)
    ? [`${repository} is still shared with ${namespace}, by a share of a repository above it`]
    : []
  const pods = await podsUsing(ports.kube, at, state, repository, namespace)
  const running = pods.length === 0 ? [] : [`pods of ${namespace} run on until they are replaced: ${pods.join(', ')}`]
  return { repository, namespace, changed, warnings: [...still, ...running], provenIn }
}

/** @throws precondition error NO_TENANT, usage error OWN_REPOSITORY */
function requireTenant(state: Tenants, repository: string, namespace: string) {
  const tenant = findTenant(state, tenantOf(repository))
  if (tenant === undefined)
    throw preconditionError('NO_TENANT', `repository "${repository}" belongs to no tenant`, {
      suggestions: [`regctl tenant add ${tenantOf(repository)}`, 'regctl tenant list'],
    })
  if (tenant.namespace === namespace)
    throw usageError('OWN_REPOSITORY', `repository "${repository}" is namespace ${namespace}'s own`)
  return tenant
}

async function follow(
  ports: Ports,
  { at, settings }: Installed,
  of: readonly string[],
  timeoutMs: number,
): Promise<number> {
  await ports.report.step('Apply the policies', () => settleTenants(ports.kube, at))
  const trustDomain = await meshTrustDomain(ports, at, settings.revision)
  return ports.report.step("Prove them in the registry's proxy", () =>
    proveTenants(ports, at, trustDomain, of, timeoutMs),
  )
}

async function podsUsing(
  kube: Kube,
  at: Installation,
  state: Tenants,
  repository: string,
  namespace: string,
): Promise<readonly string[]> {
  if (findTenant(state, tenantOf(repository))?.private !== true) return []
  const { own } = spellings(at)
  const pods = (await kube.list({ apiVersion: 'v1', kind: 'Pod' }, { namespace })) as readonly unknown[]
  return (pods as readonly V1Pod[])
    .filter((pod) =>
      imagesOf(pod).some(
        (image) => own.some((start) => image.startsWith(start)) && isWithin(repositoryOf(image), repository),
      ),
    )
    .map(({ metadata }) => metadata?.name ?? '')
}
