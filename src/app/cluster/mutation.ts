import { MUTATION_APIS, MUTATION_KIND, type MutationApi } from '../../domain/stack/context-first.ts'
import type { Kube } from '../../ports.ts'

/** The version in which the cluster serves MutatingAdmissionPolicy: from Kubernetes 1.36, or 1.34 where it is turned on. */
export async function mutationApi(kube: Kube): Promise<MutationApi | undefined> {
  for (const apiVersion of MUTATION_APIS) if (await kube.serves({ apiVersion, kind: MUTATION_KIND })) return apiVersion
  return undefined
}
