import type { ExternalGrant } from '../external/grant.ts'
import type { Keys } from '../external/keys.ts'
import { externalObjects } from '../external/objects.ts'
import {
  exposeNamespace,
  type Installation,
  ingressNamespace,
  nodeNamespace,
  ownerLabels,
  servingPorts,
} from '../installation.ts'
import { inApplyOrder } from '../kinds.ts'
import type { KubeObject, OwnerReference } from '../kube-object.ts'
import { isPortNamespace } from '../open-ports/place.ts'
import { type Exposure, exposurePolicy } from '../policy/exposure.ts'
import { readNodes } from '../policy/fence.ts'
import { type Grant, grantPolicy } from '../policy/grant.ts'
import { followingPolicies } from '../policy/policies.ts'
import type { IngressType, Settings } from '../settings.ts'
import type { Tenants } from '../tenant/tenants.ts'
import { hostPortPolicy } from './admission.ts'
import { buildNamespaces, contextFirst } from './context-first.ts'
import type { DeveloperAccess } from './developer-access.ts'
import { developerIngress, outsidePort } from './developer-ingress.ts'
import { nodeListener, pathHardening, refusalBody } from './envoy-filter.ts'
import { exposing } from './exposure.ts'
import { localRegistry } from './local-registry.ts'
import { mutualTls, registrySidecar, strictMtls } from './mesh.ts'
import type { MeshFacts } from './mesh-facts.ts'
import { nodeGateway } from './node-gateway.ts'
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
  /** A gateway of our own, whichever. */
  readonly gateway: readonly KubeObject[]
}

/** The exposures there are, how their gateway is reached, and who may push by it. */
export type Exposed = {
  readonly exposures: readonly Exposure[]
  readonly type: IngressType
  readonly external: readonly ExternalGrant[]
  /** Where the keys of each issuer come from. */
  readonly issuers: ReadonlyMap<string, Keys>
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
  { exposures, type, external, issuers }: Exposed,
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
    mutualTls(at),
    refusalBody(at),
    ...(mesh.connectionSettings ? [] : [pathHardening(at)]),
    ...(at.nodeGateway === true ? nodeGateway(at, mesh.admissionPolicies) : [nodeSidecar(at), nodeListener(at)]),
    readNodes(at),
    ...followingPolicies(at, { grants, exposures, external }, tenants.state, owners),
    ...exposures.map((exposure) => exposurePolicy(at, exposure)),
    ...externalObjects(at, external, issuers),
    ...grants.map((grant) => grantPolicy(at, grant, owners.get(grant.namespace))),
    ...tenantObjects(at, tenants.state, tenants.meshNamespace),
    nodeProxy(at, mesh.proxy),
    ...(servingPorts(at).length > 1 ? outsidePort(at, shipped.developerIngress) : []),
    ...(access === undefined ? [] : developerIngress(at, settings, mesh, shipped.gateway, access)),
    ...exposing(at, { type, revision: settings.revision }, mesh, shipped.gateway, exposures, external),
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
  exposeNamespace(at),
]

/** One of those, or of an open port's gateway. */
export const isOwnNamespace = (at: Pick<Installation, 'namespace'>, name: string): boolean =>
  namespacesOf(at).includes(name) || isPortNamespace(at, name)
