import { expect } from 'vitest'
import { apply, pod } from '../attacks/kit.ts'
import { eventually, kubectlOk } from '../cluster.ts'

const API = 'admissionregistration.k8s.io/v1'
const NATIVE = 'sidecar.istio.io/nativeSidecar'

/**
 * Has Istio make classic sidecars in one namespace, by an annotation that is there before its webhook looks. A pod that has
 * one of its own keeps it, as it does where istiod's native sidecars are off for all.
 */
export async function classicSidecars(namespace: string): Promise<AsyncDisposable> {
  const name = `classic-${namespace}`
  const annotated = `has(object.metadata.annotations) && '${NATIVE}' in object.metadata.annotations`
  const annotate = `Object{metadata: Object.metadata{annotations: {"${NATIVE}": "false"}}}`
  await apply(
    {
      apiVersion: API,
      kind: 'MutatingAdmissionPolicy',
      metadata: { name },
      spec: {
        reinvocationPolicy: 'Never',
        failurePolicy: 'Fail',
        matchConditions: [{ name: 'says-nothing', expression: `!(${annotated})` }],
        matchConstraints: {
          resourceRules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['pods'] }],
        },
        mutations: [{ patchType: 'ApplyConfiguration', applyConfiguration: { expression: annotate } }],
      },
    },
    {
      apiVersion: API,
      kind: 'MutatingAdmissionPolicyBinding',
      metadata: { name },
      spec: {
        policyName: name,
        matchResources: { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': namespace } } },
      },
    },
  )
  // The API server takes a policy up a moment later.
  await eventually(
    async () => {
      const input = JSON.stringify(pod(namespace, 'as-admitted'))
      const admitted = await kubectlOk(['create', '--dry-run=server', '-o', 'json', '-f', '-'], { input })
      const { spec } = JSON.parse(admitted) as { spec: { containers: { name: string }[] } }
      expect(spec.containers.map((one) => one.name)).toContain('istio-proxy')
    },
    { timeout: 20_000 },
  )
  return {
    [Symbol.asyncDispose]: async () => {
      await kubectlOk(['delete', 'mutatingadmissionpolicy,mutatingadmissionpolicybinding', name])
    },
  }
}
