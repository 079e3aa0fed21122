import { EXPOSE, exposeNamespace, type Installation } from '../../domain/installation.ts'
import { EXPOSURE_LABEL, type Exposure, exposureOf } from '../../domain/policy/exposure.ts'
import type { IngressType } from '../../domain/settings.ts'
import { reachedBy } from '../../domain/stack/exposure.ts'
import type { Kube } from '../../ports.ts'
import { isOurs } from '../cluster/ownership.ts'

const POLICY = { apiVersion: 'security.istio.io/v1', kind: 'AuthorizationPolicy' } as const

/** What is exposed, read from the policies. */
export async function readExposures(kube: Kube, at: Pick<Installation, 'namespace'>): Promise<readonly Exposure[]> {
  const policies = await kube.list(POLICY, { namespace: at.namespace, labelSelector: EXPOSURE_LABEL })
  return policies
    .filter((policy) => isOurs(policy, at) && policy.metadata.deletionTimestamp === undefined)
    .flatMap((policy) => exposureOf(policy) ?? [])
    .toSorted((one, other) => (one.host < other.host ? -1 : 1))
}

/** How the gateway is reached that is there; by a load balancer where nothing else was said. */
export async function exposedBy(kube: Kube, at: Pick<Installation, 'namespace'>): Promise<IngressType> {
  const ref = { apiVersion: 'v1', kind: 'Service', namespace: exposeNamespace(at), name: EXPOSE }
  const service = await kube.get(ref)
  return (service === undefined ? undefined : reachedBy(service)) ?? 'LoadBalancer'
}
