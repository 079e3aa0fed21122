import { findTenant, type Share, type Tenant, tenantOf, withoutTenant } from '../../domain/tenant/tenants.ts'
import type { Ports } from '../../ports.ts'
import { requireInstalled } from '../cluster/installed.ts'
import { meshTrustDomain } from '../cluster/mesh.ts'
import { revoke } from '../grant/revoke.ts'
import { proveTenants } from './prove.ts'
import { settleTenants } from './settle.ts'
import { changeTenants, readTenants } from './state.ts'

export type RemoveResult = {
  /** Null where it was none. */
  readonly removed: Tenant | null
  /** What it shared and need not any more. */
  readonly shares: readonly Share[]
  readonly provenIn: number
}

/** Ends it, with its shares and the grant that came with it. Images stay, and are everybody's to read. */
export async function removeTenant(
  ports: Ports,
  registryNamespace: string,
  namespace: string,
  timeoutMs: number,
): Promise<RemoveResult> {
  const { kube, report } = ports
  const { at, settings } = await requireInstalled(kube, registryNamespace)
  const state = await readTenants(kube, at)
  const tenant = findTenant(state, namespace)
  // First, because a run that ended between the two must find the grant on record.
  if (tenant?.granted !== undefined)
    await revoke(
      ports,
      registryNamespace,
      { namespace, repository: namespace, serviceAccount: tenant.granted, exact: false, readOnly: false },
      { now: false, timeoutMs },
    )
  await report.step('Remove the policies', async () => {
    await changeTenants(kube, at, (now) =>
      findTenant(now, namespace) === undefined ? undefined : withoutTenant(now, namespace),
    )
    await settleTenants(kube, at)
  })
  const trustDomain = await meshTrustDomain(ports, at, settings.revision)
  const provenIn = await report.step("Prove it in the registry's proxy", () =>
    proveTenants(ports, at, trustDomain, [namespace], timeoutMs),
  )
  return {
    removed: tenant ?? null,
    shares: state.shares.filter(({ repository }) => tenantOf(repository) === namespace),
    provenIn,
  }
}
