import { type Installation, ownerLabels } from '../installation.ts'
import type { KubeObject } from '../kube-object.ts'

type Denial = {
  /** The namespaces where everything is admitted. */
  readonly except: readonly string[]
  readonly resourceRules: readonly object[]
  /** What has to be true (CEL), and what is said where it is not. */
  readonly validations: readonly { readonly expression: string; readonly message: string }[]
}

/** A ValidatingAdmissionPolicy that is in force everywhere but in some namespaces, and refuses where it cannot tell. */
export function denying(
  at: Pick<Installation, 'namespace'>,
  name: string,
  { except, resourceRules, validations }: Denial,
): readonly KubeObject[] {
  const metadata = { name, labels: ownerLabels(at) }
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
        validations,
      },
    },
    {
      apiVersion: 'admissionregistration.k8s.io/v1',
      kind: 'ValidatingAdmissionPolicyBinding',
      metadata,
      spec: { policyName: name, validationActions: ['Deny'] },
    },
  ]
}
