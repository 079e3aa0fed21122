import { type Installation, ownerLabels } from '../installation.ts'
import type { KubeObject } from '../kube-object.ts'

type Denial = {
  /** The namespaces where everything is admitted. */
  readonly except: readonly string[]
  readonly resourceRules: readonly object[]
  readonly variables?: readonly object[]
  /** What has to be true (CEL), and what is said where it is not. */
  readonly validations: readonly { readonly expression: string; readonly message: string }[]
}

/** A ValidatingAdmissionPolicy that is in force everywhere but in some namespaces, and refuses where it cannot tell. */
export const denying = (at: Pick<Installation, 'namespace'>, name: string, denial: Denial): readonly KubeObject[] =>
  admission({ name, labels: ownerLabels(at) }, denial, 'Deny')

/** The same for any labels; `Warn` lets in what it speaks of. */
export function admission(
  metadata: KubeObject['metadata'],
  { except, resourceRules, variables, validations }: Denial,
  action: 'Deny' | 'Warn',
): readonly KubeObject[] {
  return [
    {
      apiVersion: 'admissionregistration.k8s.io/v1',
      kind: 'ValidatingAdmissionPolicy',
      metadata,
      spec: {
        failurePolicy: 'Fail',
        matchConstraints: {
          namespaceSelector: {
            matchExpressions: [{ key: 'kubernetes.io/metadata.name', operator: 'NotIn', values: except }],
          },
          resourceRules,
        },
        ...(variables === undefined ? {} : { variables }),
        validations,
      },
    },
    {
      apiVersion: 'admissionregistration.k8s.io/v1',
      kind: 'ValidatingAdmissionPolicyBinding',
      metadata,
      spec: { policyName: metadata.name, validationActions: [action] },
    },
  ]
}
