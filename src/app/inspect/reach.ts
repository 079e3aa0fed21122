import type { V1Deployment, V1Pod } from '@kubernetes/client-node'
import { type Installation, NODE_PROXY, nodeNamespace, REGISTRY } from '../../domain/installation.ts'
import { describeRef, type KubeObject, refOf } from '../../domain/kube-object.ts'
import { belongsTo } from '../../domain/ownership.ts'
import { subjectsWith } from '../../domain/rbac-reach.ts'
import { selects } from '../../domain/selection.ts'
import { developerGateway, exposingGateway, gatewayLabels } from '../../domain/stack/gateway-admission.ts'
import type { Ports } from '../../ports.ts'
import { gatewayPods, nodeProxyPods, registryPods } from '../cluster/proxy.ts'

type Proxies = { readonly home: string; readonly labels: readonly Readonly<Record<string, string>>[] }

/** `none` stands for the pods while there are none. */
function proxiesOf(home: string, pods: readonly V1Pod[], none: Readonly<Record<string, string>>): Proxies {
  return { home, labels: pods.length === 0 ? [none] : pods.map((pod) => pod.metadata?.labels ?? {}) }
}

/** Policies and filters of others that reach the registry's or the node proxies' pods. */
export async function foreignReach(
  ports: Ports,
  at: Installation,
  rootNamespace: string,
): Promise<{
  readonly allows: readonly string[]
  readonly filters: readonly string[]
  /** RequestAuthentications on the registry's pods. */
  readonly tokens: readonly string[]
}> {
  const { kube } = ports
  const own = [...(at.developers === true ? [developerGateway(at)] : []), exposingGateway(at)]
  const [policies, filters, tokens, pods, proxies, gateways] = await Promise.all([
    kube.list({ apiVersion: 'security.istio.io/v1', kind: 'AuthorizationPolicy' }),
    kube.list({ apiVersion: 'networking.istio.io/v1alpha3', kind: 'EnvoyFilter' }),
    kube.list({ apiVersion: 'security.istio.io/v1', kind: 'RequestAuthentication' }),
    registryPods(ports, at),
    nodeProxyPods(ports, at),
    Promise.all(own.map((one) => gatewayPods(ports, one))),
  ])
  const reaching = (object: KubeObject, of: Proxies) =>
    !belongsTo(at, object) &&
    [rootNamespace, of.home].includes(object.metadata.namespace ?? '') &&
    of.labels.some((labels) => selects(object, labels))
  const registry = proxiesOf(at.namespace, pods, { app: REGISTRY })
  const nodes = proxiesOf(nodeNamespace(at), proxies, { app: NODE_PROXY })
  const homes = [
    registry,
    nodes,
    ...own.map((one, index) => proxiesOf(one.namespace, gateways[index] ?? [], gatewayLabels(one))),
  ]
  const isAllow = (object: KubeObject) =>
    ['ALLOW', undefined].includes((object.spec as { action?: string } | undefined)?.action)
  return {
    allows: policies
      .filter((object) => isAllow(object) && reaching(object, registry))
      .map((object) => describeRef(refOf(object))),
    filters: filters
      .filter((object) => homes.some((home) => reaching(object, home)))
      .map((object) => describeRef(refOf(object))),
    tokens: tokens.filter((object) => reaching(object, registry)).map((object) => describeRef(refOf(object))),
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
