import type { Installation } from '../../domain/installation.ts'
import type { Grant } from '../../domain/policy/grant.ts'
import { findTenant, isForeign, tenantOf } from '../../domain/tenant/tenants.ts'
import { conflictError } from '../../errors.ts'
import type { Kube } from '../../ports.ts'
import { readTenants } from './state.ts'

/**
 * A tenant's repositories are no one else's to be granted. What was granted before and accepted stays.
 * @throws conflict error (exit 4) TENANT_REPOSITORY
 */
export async function checkTenant(kube: Kube, at: Installation, wanted: Grant): Promise<void> {
  const tenant = findTenant(await readTenants(kube, at), tenantOf(wanted.repository))
  if (tenant === undefined || !isForeign(wanted, tenant.namespace)) return
  throw conflictError(
    'TENANT_REPOSITORY',
    `repository "${wanted.repository}" belongs to tenant ${tenant.namespace}, and not to namespace ${wanted.namespace}`,
    {
      suggestions: [
        `regctl share ${wanted.repository} --with ${wanted.namespace}, to let it read`,
        `regctl grant ${wanted.namespace} ${wanted.namespace}, to push there`,
      ],
    },
  )
}

/**
 * What is private is not for those outside, but where that was so before and was accepted.
 * @throws conflict error (exit 4) TENANT_REPOSITORY
 */
export async function checkPrivate(kube: Kube, at: Installation, repositories: readonly string[]): Promise<void> {
  const state = await readTenants(kube, at)
  const repository = repositories.find((one) => findTenant(state, tenantOf(one))?.private === true)
  if (repository === undefined) return
  throw conflictError(
    'TENANT_REPOSITORY',
    `repository "${repository}" is private to tenant ${tenantOf(repository)}, and not for those outside`,
    { suggestions: [`regctl tenant add ${tenantOf(repository)} --no-private, and everybody may read it`] },
  )
}
