import type { Installation } from '../installation.ts'
import type { KubeObject } from '../kube-object.ts'
import { privateOnes, type Tenants } from '../tenant/tenants.ts'
import { imagePolicies } from './image-admission.ts'
import { loopbackPolicies } from './loopback-admission.ts'
import { mountFilter } from './mount-filter.ts'
import { exemptNamespaces } from './pod-admission.ts'

/** What keeps private tenants apart besides the policies at the registry's proxy; nothing where there is none. */
export function tenantObjects(
  at: Installation,
  tenants: Tenants,
  /** Of istiod. */
  meshNamespace: string,
): readonly KubeObject[] {
  if (privateOnes(tenants).length === 0) return []
  const exempt = exemptNamespaces(at, meshNamespace)
  return [mountFilter(at), ...imagePolicies(at, tenants, exempt), ...loopbackPolicies(at, tenants, exempt)]
}
