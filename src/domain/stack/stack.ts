import { type Installation, ingressNamespace, nodeNamespace, ownerLabels } from '../installation.ts'
import { inApplyOrder } from '../kinds.ts'
import type { KubeObject, OwnerReference } from '../kube-object.ts'
import { isPortNamespace } from '../open-ports/place.ts'
import { fence, namespaceFence, readNodes } from '../policy/fence.ts'
import { type Grant, grantPolicy } from '../policy/grant.ts'
import type { Settings } from '../settings.ts'
import type { Tenants } from '../tenant/tenants.ts'
import { hostPortPolicy } from './admission.ts'
import { buildNamespaces, contextFirst } from './context-first.ts'
import type { DeveloperAccess } from './developer-access.ts'
import { developerIngress } from './developer-ingress.ts'
import { nodeListener, pathHardening, refusalBody } from './envoy-filter.ts'
import { localRegistry } from './local-registry.ts'
import { mutualTls, registrySidecar, strictMtls } from './mesh.ts'
import type { MeshFacts } from './mesh-facts.ts'
import { nodeProxy, nodeSidecar } from './node-proxy.ts'
import { placed, registryObjects } from './registry.ts'
import { tenantObjects } from './tenants.ts'

/** Name of the ConfigMap that keeps what `up` was given. */
export const STATE = 'regctl'

/** What regctl ships as YAML. */
export type Shipped = {
  readonly registry: readonly KubeObject[]
  readonly nodeProxy: readonly KubeObject[]
  readonly developerIngress: readonly KubeObject[]
}

/** Everything `up` applies, in order; the same for render, dry run and prune. Secrets are made apart. */
export function stack(
  at: Installation,
  settings: Settings,
  mesh: MeshFacts,
  shipped: Shipped,
  grants: readonly Grant[],
  /** The Namespace object of each granted namespace. */
  owners: ReadonlyMap<string, OwnerReference>,
  /** What developers have to know; absent without their way in. */
  access: DeveloperAccess | undefined,
  tenants: { readonly state: Tenants; readonly meshNamespace: string },
): readonly KubeObject[] {
  return inApplyOrder([
    ...registryObjects(at, settings, mesh, shipped.registry),
    ...shipped.nodeProxy.map((object) => placed(at, object)),
    stateObject(at, settings),
    ...(settings.publishLocalRegistry === true ? [localRegistry(at)] : []),
    ...(mesh.admissionPolicies ? hostPortPolicy(at) : []),
    ...buildNamespaces(grants).flatMap((name) => orderIn(at, name, mesh, owners.get(name))),
    strictMtls(at),
    registrySidecar(at),
    nodeSidecar(at),
    mutualTls(at),
    refusalBody(at),
    ...(mesh.connectionSettings ? [] : [pathHardening(at)]),
    nodeListener(at),
    readNodes(at),
    fence(at, grants),
    ...grants.map((grant) => grantPolicy(at, grant, owners.get(grant.namespace))),
    ...[...new Set(grants.map((grant) => grant.namespace))].map((name) =>
      namespaceFence(at, name, grants, owners.get(name)),
    ),
    ...tenantObjects(at, tenants.state, grants, tenants.meshNamespace),
    nodeProxy(at, mesh.proxy),
    ...(access === undefined ? [] : developerIngress(at, settings, mesh, shipped.developerIngress, access)),
  ])
}

const orderIn = (at: Installation, name: string, { mutationApi }: MeshFacts, owner?: OwnerReference) =>
  mutationApi === undefined || owner === undefined ? [] : contextFirst(at, name, mutationApi, owner)

/** The object that remembers the settings. */
export function stateObject(at: Installation, settings: Settings): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: STATE, namespace: at.namespace, labels: ownerLabels(at) },
    data: { 'settings.json': JSON.stringify(settings), clusterDomain: at.clusterDomain },
  }
}

/** Every namespace of an installation. */
export const namespacesOf = (at: Pick<Installation, 'namespace'>): readonly string[] => [
  at.namespace,
  nodeNamespace(at),
  ingressNamespace(at),
]

/** One of those, or of an open port's gateway. */
export const isOwnNamespace = (at: Pick<Installation, 'namespace'>, name: string): boolean =>
  namespacesOf(at).includes(name) || isPortNamespace(at, name)
