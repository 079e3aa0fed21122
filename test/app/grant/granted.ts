import type { BuilderOptions } from '../../../src/app/grant/builder.ts'
import { grant } from '../../../src/app/grant/grant.ts'
import { grantFrom } from '../../domain/at.ts'
import { type FakeCluster, forget, namespace } from '../../fakes/cluster.ts'

export type GrantOptions = Partial<Omit<BuilderOptions, 'revision'>> & { readonly timeoutMs?: number }

/** `regctl grant`, with the grant in the short form of `grantFrom`. */
export const grantNow = ({ ports }: Pick<FakeCluster, 'ports'>, text: string, options: GrantOptions = {}) =>
  grant(ports, 'kube-registry', grantFrom(text), { inject: false, mergeSidecar: false, timeoutMs: 30_000, ...options })

/** A namespace that exists and has a grant, none of it on record. */
export async function grantIn(cluster: FakeCluster, name: string, what: string, options: GrantOptions = {}) {
  const ref = { apiVersion: 'v1', kind: 'Namespace', name }
  if (cluster.store.read(ref) === undefined) cluster.store.put(namespace(name))
  const result = await grantNow(cluster, `${name} ${what}`, options)
  forget(cluster)
  return result
}
