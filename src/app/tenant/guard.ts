import type { Installation } from '../../domain/installation.ts'
import type { Grant } from '../../domain/policy/grant.ts'
import { findTenant, isForeign, tenantOf } from '../../domain/tenant/tenants.ts'
import { conflictError } from '../../errors.ts'
import type { Kube } from '../../ports.ts'
import { readTenants } from './state.ts'

/**
 * What is private to a namespace is nobody's from outside.
 * @throws conflict error (exit 4) TENANT_REPOSITORY
 */
export async function checkPrivate(kube: Kube, at: Installation, repository: string): Promise<void> {
  const tenant = findTenant(await readTenants(kube, at), tenantOf(repository))
  if (tenant?.private !== true) return
  throw conflictError('TENANT_REPOSITORY', `repository "${repository}" is private to tenant ${tenant.namespace}`, {
    suggestions: [
      `regctl tenant add ${tenant.namespace} --no-private, to open it`,
      'or grant a repository outside of it',
    ],
  })
}

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
