import type { Installation } from '../installation.ts'
import type { KubeObject } from '../kube-object.ts'
import { type Given, privatePolicies } from '../policy/private.ts'
import { privateOnes, type Tenants } from '../tenant/tenants.ts'
import { imagePolicies } from './image-admission.ts'
import { loopbackPolicies } from './loopback-admission.ts'
import { mountFilter } from './mount-filter.ts'
import { exemptNamespaces } from './pod-admission.ts'

/** Everything that keeps private tenants apart; nothing where there is none. */
export function tenantObjects(
  at: Installation,
  tenants: Tenants,
  given: Given,
  /** Of istiod. */
  meshNamespace: string,
): readonly KubeObject[] {
  if (privateOnes(tenants).length === 0) return []
  const exempt = exemptNamespaces(at, meshNamespace)
  return [
    ...privatePolicies(at, tenants, given),
    mountFilter(at),
    ...imagePolicies(at, tenants, exempt),
    ...loopbackPolicies(at, tenants, exempt),
  ]
}
