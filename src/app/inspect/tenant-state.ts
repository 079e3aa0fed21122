import type { Installation } from '../../domain/installation.ts'
import { describeRef, refOf } from '../../domain/kube-object.ts'
import type { Tenants } from '../../domain/tenant/tenants.ts'
import type { Ports } from '../../ports.ts'
import { tenantDrift } from '../policies/drift.ts'
import { readTenants } from '../tenant/state.ts'
import type { Problems } from './problems.ts'

/** The tenants, and what is not as they should have it. */
export async function tenantState({ kube }: Ports, at: Installation, problems: Problems): Promise<Tenants> {
  const state = await readTenants(kube, at)
  if (state.tenants.length === 0) return state
  const { write, remove } = await tenantDrift(kube, at)
  for (const object of write)
    problems.say(`${describeRef(refOf(object))}, which keeps tenants apart, is not as it should be`, 'regctl up')
  for (const object of remove) problems.say(`${describeRef(refOf(object))} is of no tenant any more`, 'regctl up')
  const namespaces = await kube.list({ apiVersion: 'v1', kind: 'Namespace' })
  const uids = new Map(namespaces.map(({ metadata }) => [metadata.name, metadata.uid]))
  for (const { namespace, uid } of state.tenants)
    if (uids.get(namespace) !== uid)
      problems.say(
        `the namespace of tenant ${namespace} ${uids.has(namespace) ? 'was made anew, and is not whose the images are' : 'is gone'}`,
        `regctl tenant remove ${namespace}${uids.has(namespace) ? `, or regctl tenant add ${namespace} to hand them over` : ''}`,
      )
  return state
}
