import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { V1Pod } from '@kubernetes/client-node'
import { shippedAssets } from '../../../src/adapters/assets.ts'
import type { Installation } from '../../../src/domain/installation.ts'
import type { KubeObject, OwnerReference } from '../../../src/domain/kube-object.ts'
import type { Grant } from '../../../src/domain/policy/grant.ts'
import { DEFAULTS, type Settings } from '../../../src/domain/settings.ts'
import type { MeshFacts, ProxyTemplate } from '../../../src/domain/stack/mesh-facts.ts'
import { stack } from '../../../src/domain/stack/stack.ts'
import { at } from '../at.ts'

const root = join(import.meta.dirname, '../../..')
const assets = shippedAssets(root)

export const shipped = {
  registry: await assets.manifests('registry.yaml'),
  nodeProxy: await assets.manifests('node-proxy.yaml'),
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
  admissionPolicies: true,
  proxy: template,
}

export type Wanted = {
  readonly at?: Partial<Installation>
  readonly settings?: Partial<Settings>
  readonly mesh?: Partial<MeshFacts>
  readonly grants?: readonly Grant[]
}

const ownersOf = (grants: readonly Grant[]) =>
  new Map<string, OwnerReference>(
    grants.map(({ namespace: name }) => [name, { apiVersion: 'v1', kind: 'Namespace', name, uid: `uid-of-${name}` }]),
  )

/** The whole stack, as usual but for what is said. */
export function stackWith({ at: place, settings, mesh, grants = [] }: Wanted = {}): readonly KubeObject[] {
  const facts = { ...MESH, ...mesh }
  return stack({ ...at, ...place }, { ...DEFAULTS, ...settings }, facts, shipped, grants, ownersOf(grants))
}

/** The one object of this kind and name. */
export function find(objects: readonly KubeObject[], kind: string, name: string): KubeObject {
  const [found, ...more] = objects.filter((object) => object.kind === kind && object.metadata.name === name)
  if (found === undefined || more.length > 0) throw new Error(`${1 + more.length} objects ${kind} ${name}`)
  return found
}
