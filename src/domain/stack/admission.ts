import { type Installation, nodeNamespace, ownerLabels } from '../installation.ts'
import type { KubeObject } from '../kube-object.ts'

const free = (list: string, port: number): string =>
  `(!has(object.spec.${list}) || object.spec.${list}.all(c, !has(c.ports) || c.ports.all(p, !has(p.hostPort) || p.hostPort != ${port})))`

/**
 * Keeps the node's registry port for the node proxy: a pod that got it while the proxy is replaced would be the
 * registry for every kubelet. The scheduler sees only declared ports, so this is admission, not scheduling.
 */
export function hostPortPolicy(at: Installation): readonly KubeObject[] {
  const name = `regctl-host-port-${at.namespace}`
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
            matchExpressions: [{ key: 'kubernetes.io/metadata.name', operator: 'NotIn', values: [nodeNamespace(at)] }],
          },
          resourceRules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['pods'] }],
        },
        validations: [
          {
            expression: `${free('containers', at.port)} && ${free('initContainers', at.port)}`,
            message: `host port ${at.port} belongs to the registry's node proxy (namespace ${nodeNamespace(at)}); use another hostPort`,
          },
        ],
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
