import type { V1Deployment } from '@kubernetes/client-node'
import { type Installation, NODE_PROXY, nodeNamespace, REGISTRY } from '../../domain/installation.ts'
import { describeRef, type KubeObject, refOf } from '../../domain/kube-object.ts'
import { subjectsWith } from '../../domain/rbac-reach.ts'
import type { Ports } from '../../ports.ts'
import { isOurs } from '../cluster/ownership.ts'

type Selected = {
  readonly selector?: { readonly matchLabels?: Readonly<Record<string, string>> }
  readonly workloadSelector?: { readonly labels?: Readonly<Record<string, string>> }
  readonly action?: string
}

/** Does a policy's selector fit pods labelled `app`? One without selector fits all. */
function fits(object: KubeObject, app: string): boolean {
  const spec = (object.spec ?? {}) as Selected
  const labels = spec.selector?.matchLabels ?? spec.workloadSelector?.labels ?? {}
  return Object.entries(labels).every(([key, value]) => key === 'app' && value === app)
}

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
  const reaching = (object: KubeObject, app: string, home: string) =>
    !isOurs(object, at) && [rootNamespace, home].includes(object.metadata.namespace ?? '') && fits(object, app)
  const isAllow = (object: KubeObject) => ['ALLOW', undefined].includes(((object.spec ?? {}) as Selected).action)
  return {
    allows: policies
      .filter((object) => isAllow(object) && reaching(object, REGISTRY, at.namespace))
      .map((object) => describeRef(refOf(object))),
    filters: filters
      .filter((object) => reaching(object, REGISTRY, at.namespace) || reaching(object, NODE_PROXY, nodeNamespace(at)))
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
