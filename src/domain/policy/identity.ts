import { usageError } from '../../errors.ts'

/** Workload identities: every service account of a namespace, or one. */
export type Identity = { readonly namespace: string; readonly serviceAccount?: string }

/**
 * The principal Istio's policies match. `cluster.local` stands for the mesh's trust domain and its aliases,
 * whatever they are called (istio pilot/pkg/security/trustdomain).
 */
export function principalOf({ namespace, serviceAccount }: Identity): string {
  return `cluster.local/ns/${namespace}/sa/${serviceAccount ?? '*'}`
}

/** The namespaces of such principals. */
export const homesOf = (principals: readonly string[]): readonly string[] => [
  ...new Set(principals.flatMap((principal) => /\/ns\/([^/]+)\/sa\//.exec(principal)?.[1] ?? [])),
]

/** The SPIFFE id a proxy shows for one service account. */
export function spiffeId(trustDomain: string, namespace: string, serviceAccount: string): string {
  return `spiffe://${trustDomain}/ns/${namespace}/sa/${serviceAccount}`
}

const LABEL = /^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?$/

/** @throws usage error INVALID_NAMESPACE */
export function namespaceName(text: string): string {
  if (text.length > 63 || !LABEL.test(text))
    throw usageError('INVALID_NAMESPACE', `namespace "${text}" is not a valid Kubernetes name`)
  return text
}

/** @throws usage error INVALID_SERVICE_ACCOUNT */
export function serviceAccountName(text: string): string {
  if (text.length > 253 || !text.split('.').every((part) => LABEL.test(part)))
    throw usageError('INVALID_SERVICE_ACCOUNT', `service account "${text}" is not a valid Kubernetes name`)
  return text
}
