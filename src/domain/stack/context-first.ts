import { type Installation, ownerLabels } from '../installation.ts'
import type { KubeObject, OwnerReference } from '../kube-object.ts'
import { GRANT_LABEL, type Grant, isDeveloper } from '../policy/grant.ts'
import { KANIKO_INIT_CONTAINER, KANIKO_LABEL } from '../skaffold/kaniko.ts'

/** Where a cluster may serve MutatingAdmissionPolicy, what it is to be asked for first. */
export const MUTATION_APIS = ['admissionregistration.k8s.io/v1', 'admissionregistration.k8s.io/v1beta1'] as const
export type MutationApi = (typeof MUTATION_APIS)[number]

export const MUTATION_KIND = 'MutatingAdmissionPolicy'

export const contextFirstName = (namespace: string): string => `regctl-context-first-${namespace}`

/** Namespaces in which somebody may build and push. */
export const buildNamespaces = (grants: readonly Grant[]): readonly string[] => [
  ...new Set(grants.filter((grant) => !grant.readOnly && !isDeveloper(grant)).map(({ namespace }) => namespace)),
]

const those = (sign: '==' | '!='): string =>
  `object.spec.initContainers.filter(c, c.name ${sign} '${KANIKO_INIT_CONTAINER}')`

/**
 * Puts the container that receives Skaffold's context before Istio's: Skaffold sends as soon as any init container runs, and
 * a native sidecar is one. Two objects for each granted namespace, owned by it, so that nobody else's pods are ever looked at
 * and they go with it.
 */
export function contextFirst(
  at: Installation,
  namespace: string,
  apiVersion: MutationApi,
  owner: OwnerReference,
): readonly KubeObject[] {
  const name = contextFirstName(namespace)
  const labels = { ...ownerLabels(at), [GRANT_LABEL]: namespace }
  const metadata = { name, labels, ownerReferences: [owner] }
  return [
    {
      apiVersion,
      kind: MUTATION_KIND,
      metadata,
      spec: {
        failurePolicy: 'Fail',
        // The first time it is called Istio's webhook has not been; a condition that is false then would end it there.
        reinvocationPolicy: 'IfNeeded',
        matchConstraints: {
          namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': namespace } },
          objectSelector: { matchLabels: KANIKO_LABEL },
          resourceRules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['pods'] }],
        },
        mutations: [
          {
            patchType: 'JSONPatch',
            jsonPatch: {
              expression: `has(object.spec.initContainers) ? [JSONPatch{op: 'replace', path: '/spec/initContainers', value: ${those('==')} + ${those('!=')}}] : []`,
            },
          },
        ],
      },
    },
    { apiVersion, kind: `${MUTATION_KIND}Binding`, metadata, spec: { policyName: name } },
  ]
}
