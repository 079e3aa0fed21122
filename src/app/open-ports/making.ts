import type { Installation } from '../../domain/installation.ts'
import type { MeshFacts } from '../../domain/stack/mesh-facts.ts'
import type { Ports } from '../../ports.ts'
import { proxyTemplate } from '../cluster/mesh.ts'
import type { Making } from './settle.ts'

/** What sets are made with now, by what the mesh injects and the cluster serves. */
export async function making(
  ports: Ports,
  at: Pick<Installation, 'namespace'>,
  revision: string | undefined,
): Promise<Making> {
  const [proxy, admissionPolicies] = await Promise.all([
    proxyTemplate(ports, at, revision),
    ports.kube.serves({ apiVersion: 'admissionregistration.k8s.io/v1', kind: 'ValidatingAdmissionPolicy' }),
  ])
  return makingOf({ proxy, admissionPolicies }, revision)
}

export const makingOf = (
  { proxy, admissionPolicies }: Pick<MeshFacts, 'proxy' | 'admissionPolicies'>,
  revision: string | undefined,
): Making => ({ injection: { image: proxy.container.image ?? '', revision }, admissionPolicies })
