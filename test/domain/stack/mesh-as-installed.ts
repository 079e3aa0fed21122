import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { V1Pod } from '@kubernetes/client-node'
import { shippedAssets } from '../../../src/adapters/assets.ts'
import type { Installation } from '../../../src/domain/installation.ts'
import type { KubeObject, OwnerReference } from '../../../src/domain/kube-object.ts'
import type { Exposure } from '../../../src/domain/policy/exposure.ts'
import type { Grant } from '../../../src/domain/policy/grant.ts'
import { DEFAULTS, type Settings } from '../../../src/domain/settings.ts'
import type { DeveloperAccess } from '../../../src/domain/stack/developer-access.ts'
import type { MeshFacts, ProxyTemplate } from '../../../src/domain/stack/mesh-facts.ts'
import { stack } from '../../../src/domain/stack/stack.ts'
import { NO_TENANTS, type Tenants } from '../../../src/domain/tenant/tenants.ts'
import { at } from '../at.ts'

const root = join(import.meta.dirname, '../../..')
const assets = shippedAssets(root)

export const shipped = {
  registry: await assets.manifests('registry.yaml'),
  nodeProxy: await assets.manifests('node-proxy.yaml'),
  developerIngress: await assets.manifests('developer-ingress.yaml'),
  gateway: await assets.manifests('gateway.yaml'),
}

const { spec } = JSON.parse(readFileSync(join(root, 'test/golden/injected-pod.json'), 'utf8')) as V1Pod
const [container] = spec?.containers ?? []
if (container === undefined) throw new Error('test/golden/injected-pod.json has no container')

/** The proxy as the injector of Istio 1.31 made it. */
export const template: ProxyTemplate = { container, volumes: spec?.volumes ?? [] }

/** Istio 1.31 without its CNI plugin. */
export const MESH: MeshFacts = {
  istioVersion: '1.31.0',
  connectionSettings: true,
  cni: false,
  ambient: false,
  clusterDomain: 'cluster.local',
  authority: { host: 'istiod.istio-system.svc', port: 15_012 },
  admissionPolicies: true,
  mutationApi: 'admissionregistration.k8s.io/v1',
  proxy: template,
}

const ACCESS: DeveloperAccess = {
  registryAddresses: [],
  addresses: ['192.0.2.1:15443'],
  roots: '-----BEGIN CERTIFICATE-----\n',
  trustDomain: 'cluster.local',
  clusterDomain: 'cluster.local',
  port: 5000,
  authority: 'istiod.istio-system.svc',
}

export type Wanted = {
  readonly at?: Partial<Installation>
  readonly settings?: Partial<Settings>
  readonly mesh?: Partial<MeshFacts>
  readonly grants?: readonly Grant[]
  readonly exposures?: readonly Exposure[]
  readonly tenants?: Tenants
}

const ownersOf = (grants: readonly Grant[]) =>
  new Map<string, OwnerReference>(
    grants.map(({ namespace: name }) => [name, { apiVersion: 'v1', kind: 'Namespace', name, uid: `uid-of-${name}` }]),
  )

/** The whole stack, as usual but for what is said. */
export function stackWith({
  at: place,
  settings,
  mesh,
  grants = [],
  exposures = [],
  tenants = NO_TENANTS,
}: Wanted = {}): readonly KubeObject[] {
  const facts = { ...MESH, ...mesh }
  const all = { ...DEFAULTS, ...settings }
  const home = {
    ...at,
    ...place,
    ...(all.developerIngress === true ? { developers: true as const } : {}),
    ...(all.nodeProxy === 'gateway' ? { nodeGateway: true as const } : {}),
  }
  const access = home.developers === true ? ACCESS : undefined
  const exposed = { exposures, type: 'LoadBalancer', external: [], issuers: new Map() } as const
  const state = { state: tenants, meshNamespace: 'istio-system' }
  return stack(home, all, facts, shipped, grants, ownersOf(grants), access, exposed, state)
}

/** The one object of this kind and name. */
export function find(objects: readonly KubeObject[], kind: string, name: string): KubeObject {
  const [found, ...more] = objects.filter((object) => object.kind === kind && object.metadata.name === name)
  if (found === undefined || more.length > 0) throw new Error(`${1 + more.length} objects ${kind} ${name}`)
  return found
}
