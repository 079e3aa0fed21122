import type { Installation } from '../../domain/installation.ts'
import type { KubeObject } from '../../domain/kube-object.ts'
import type { Grant } from '../../domain/policy/grant.ts'
import { findTenant, type Tenants, withoutTenant, withTenant } from '../../domain/tenant/tenants.ts'
import { RegctlError } from '../../errors.ts'
import type { Ports } from '../../ports.ts'
import { takeAllBack } from '../grant/revoke.ts'
import { takenBack } from '../grant/undo.ts'
import { settleTenants } from '../policies/settle.ts'
import { changeTenants } from './state.ts'

/** What a step of `tenant add` does when it fails: puts these tenants back to what they were, and their grants. */
export function takeTenantsBack(
  ports: Ports,
  at: Installation,
  before: Tenants,
  places: readonly KubeObject[],
  grants: readonly Grant[],
) {
  return async (error: unknown): Promise<never> => {
    const names = places.map(({ metadata }) => metadata.name)
    try {
      await changeTenants(ports.kube, at, (now) =>
        names.reduce((state, name) => {
          const was = findTenant(before, name)
          return was === undefined ? withoutTenant(state, name) : withTenant(state, was)
        }, now),
      )
      if (grants.length > 0) await takeAllBack(ports, at, grants)
      await settleTenants(ports.kube, at)
    } catch {
      ports.report.warn(`What was done could not be taken back: regctl tenant remove ${names.join(' ')}`)
      throw error
    }
    throw error instanceof RegctlError ? takenBack(error, 'all of it') : error
  }
}
