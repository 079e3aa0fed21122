import { revokedExpectations } from '../../domain/policy/expectation.ts'
import type { Grant } from '../../domain/policy/grant.ts'
import {
  findTenant,
  type Share,
  type Tenant,
  tenantGrant,
  tenantOf,
  withoutTenant,
} from '../../domain/tenant/tenants.ts'
import type { Ports } from '../../ports.ts'
import { requireInstalled } from '../cluster/installed.ts'
import { meshTrustDomain } from '../cluster/mesh.ts'
import { takeAllBack } from '../grant/revoke.ts'
import { settleTenants } from '../policies/settle.ts'
import { proveTenants } from './prove.ts'
import { changeTenants, readTenants } from './state.ts'

export type RemoveResult = {
  readonly removed: readonly Tenant[]
  /** Those that were none. */
  readonly none: readonly string[]
  /** What they shared and do not any more. */
  readonly shares: readonly Share[]
  readonly provenIn: number
}

/** Ends them, with their shares and the grants that came with them. Images stay, and are everybody's to read. */
export async function removeTenants(
  ports: Ports,
  registryNamespace: string,
  namespaces: readonly string[],
  timeoutMs: number,
): Promise<RemoveResult> {
  const { kube, report } = ports
  const { at, settings } = await requireInstalled(kube, registryNamespace)
  const state = await readTenants(kube, at)
  const removed = namespaces.flatMap((name) => findTenant(state, name) ?? [])
  const grants = removed.flatMap(({ namespace, granted }): readonly Grant[] =>
    granted === undefined ? [] : [tenantGrant(namespace, granted)],
  )
  await report.step('Remove the policies', async () => {
    // First, because a run that ended between the two must find the grant on record.
    if (grants.length > 0) await takeAllBack(ports, at, grants)
    await changeTenants(kube, at, (now) =>
      namespaces.some((name) => findTenant(now, name) !== undefined)
        ? namespaces.reduce((left, name) => withoutTenant(left, name), now)
        : undefined,
    )
    await settleTenants(kube, at)
  })
  const trustDomain = await meshTrustDomain(ports, at, settings.revision)
  const provenIn = await report.step("Prove it in the registry's proxy", () =>
    proveTenants(ports, at, trustDomain, namespaces, timeoutMs, (left) =>
      grants.flatMap((grant) =>
        revokedExpectations(
          at,
          trustDomain,
          grant,
          left.filter(({ namespace }) => namespace === grant.namespace),
        ),
      ),
    ),
  )
  return {
    removed,
    none: namespaces.filter((name) => findTenant(state, name) === undefined),
    shares: state.shares.filter(({ repository }) => namespaces.includes(tenantOf(repository))),
    provenIn,
  }
}
