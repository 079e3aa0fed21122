import type { Installation } from '../../domain/installation.ts'
import type { KubeObject } from '../../domain/kube-object.ts'
import { FENCE, fence, namespaceFence, writesName } from '../../domain/policy/fence.ts'
import type { Kube } from '../../ports.ts'
import { settleObject } from '../cluster/settle.ts'
import { readGiven } from '../tenant/given.ts'
import { settlePrivate } from '../tenant/settle.ts'
import { grantsOf, ownerOf, readGrants } from './grants.ts'

const POLICY = { apiVersion: 'security.istio.io/v1', kind: 'AuthorizationPolicy' } as const

/**
 * Makes the fences follow the grants and exposures that are in the cluster now: a concurrent grant is seen by one of the two
 * writers, never by none.
 */
export async function settleFences(kube: Kube, at: Installation, namespaces: readonly KubeObject[]): Promise<void> {
  const refTo = (name: string) => ({ ...POLICY, namespace: at.namespace, name })
  for (const namespace of namespaces) {
    const { name } = namespace.metadata
    await settleObject(kube, refTo(writesName(name)), async (before) => {
      const grants = await readGrants(kube, at)
      if (grantsOf(name, grants).length === 0) return undefined
      return namespaceFence(at, name, grants, ownerOf(namespace), before?.metadata.resourceVersion)
    })
  }
  await settleObject(kube, refTo(FENCE), async (before) => {
    const { grants, exposures, external } = await readGiven(kube, at)
    return fence(at, grants, exposures, external, before?.metadata.resourceVersion)
  })
  await settlePrivate(kube, at)
}
