import type { V1Deployment, V1Pod } from '@kubernetes/client-node'
import { type Installation, NODE_PROXY, nodeNamespace, REGISTRY } from '../../domain/installation.ts'
import { describeRef, type KubeObject, refOf } from '../../domain/kube-object.ts'
import { subjectsWith } from '../../domain/rbac-reach.ts'
import type { Ports } from '../../ports.ts'
import { isOurs } from '../cluster/ownership.ts'
import { nodeProxyPods, registryPods } from '../cluster/proxy.ts'

type Selected = {
  readonly selector?: { readonly matchLabels?: Readonly<Record<string, string>> }
  readonly workloadSelector?: { readonly labels?: Readonly<Record<string, string>> }
  readonly targetRefs?: unknown
  readonly action?: string
}

type Labels = Readonly<Record<string, string>>

/** Does a policy apply to pods with these labels? One without selector fits all; `targetRefs` name gateways, never pods. */
function fits(object: KubeObject, labels: Labels): boolean {
  const spec = (object.spec ?? {}) as Selected
  if (spec.targetRefs !== undefined) return false
  const wanted = spec.selector?.matchLabels ?? spec.workloadSelector?.labels ?? {}
  return Object.entries(wanted).every(([key, value]) => labels[key] === value)
}

/** The labels of the pods, injected ones too; where none runs, the one they will have in any case. */
const labelsOf = (pods: readonly V1Pod[], app: string): readonly Labels[] =>
  pods.length === 0 ? [{ app }] : pods.map((pod) => pod.metadata?.labels ?? {})

/** Policies and filters of others that reach the registry's or the node proxies' pods. */
export async function foreignReach(
  ports: Ports,
  at: Installation,
  rootNamespace: string,
): Promise<{ readonly allows: readonly string[]; readonly filters: readonly string[] }> {
  const { kube } = ports
  const [policies, filters] = await Promise.all([
    kube.list({ apiVersion: 'security.istio.io/v1', kind: 'AuthorizationPolicy' }),
    kube.list({ apiVersion: 'networking.istio.io/v1alpha3', kind: 'EnvoyFilter' }),
  ])
  const registry = labelsOf(await registryPods(ports, at), REGISTRY)
  const nodes = labelsOf(await nodeProxyPods(ports, at), NODE_PROXY)
  const reaching = (object: KubeObject, pods: readonly Labels[], home: string) =>
    !isOurs(object, at) &&
    [rootNamespace, home].includes(object.metadata.namespace ?? '') &&
    pods.some((labels) => fits(object, labels))
  const isAllow = (object: KubeObject) => ['ALLOW', undefined].includes(((object.spec ?? {}) as Selected).action)
  return {
    allows: policies
      .filter((object) => isAllow(object) && reaching(object, registry, at.namespace))
      .map((object) => describeRef(refOf(object))),
    filters: filters
      .filter((object) => reaching(object, registry, at.namespace) || reaching(object, nodes, nodeNamespace(at)))
      .map((object) => describeRef(refOf(object))),
  }
}

/** Who may step into the pods whose identity or loopback is worth something, per namespace. */
export async function podAccess(
  ports: Ports,
  namespaces: readonly string[],
): Promise<readonly { readonly namespace: string; readonly right: string; readonly subjects: readonly string[] }[]> {
  const list = (kind: string) => ports.kube.list({ apiVersion: 'rbac.authorization.k8s.io/v1', kind })
  const [clusterRoles, roles, clusterBindings, bindings] = await Promise.all(
    ['ClusterRole', 'Role', 'ClusterRoleBinding', 'RoleBinding'].map(list),
  )
  const allRoles = [
    ...(clusterRoles ?? []).map((role) => ({ ...role, kind: 'ClusterRole' })),
    ...(roles ?? []).map((role) => ({ ...role, kind: 'Role' })),
  ] as unknown as Parameters<typeof subjectsWith>[2]
  const allBindings = [...(clusterBindings ?? []), ...(bindings ?? [])] as unknown as Parameters<typeof subjectsWith>[3]
  return namespaces.flatMap((namespace) =>
    ['pods/exec', 'pods/portforward'].map((right) => ({
      namespace,
      right,
      subjects: subjectsWith(right, namespace, allRoles, allBindings),
    })),
  )
}

/** How long a certificate may live at most: an identity outlives its service account by that. */
export function longestCertificate(istiod: KubeObject | undefined): string {
  const containers = (istiod?.spec as V1Deployment['spec'] | undefined)?.template.spec?.containers ?? []
  return (
    containers[0]?.env?.find(({ name }) => name === 'MAX_WORKLOAD_CERT_TTL')?.value ?? '2160h (90 days, the default)'
  )
}
