import type { V1Pod, V1Service } from '@kubernetes/client-node'
import type { ExternalGrant } from '../../domain/external/grant.ts'
import { revokeExternalCommand } from '../../domain/external/revoke-command.ts'
import type { Installation } from '../../domain/installation.ts'
import type { KubeObject } from '../../domain/kube-object.ts'
import type { Exposure } from '../../domain/policy/exposure.ts'
import type { Given } from '../../domain/policy/given.ts'
import { type Grant, grantKey } from '../../domain/policy/grant.ts'
import { exemptNamespaces } from '../../domain/stack/pod-admission.ts'
import { imageFault, isOtherWay, repositoryOf } from '../../domain/tenant/image-rules.ts'
import { loopbackFaults } from '../../domain/tenant/loopback-rules.ts'
import { isForeign, isShared, privateOnes, type Tenants, tenantOf } from '../../domain/tenant/tenants.ts'
import type { Kube } from '../../ports.ts'
import { meshNamespace } from '../cluster/mesh.ts'
import { isOurs } from '../cluster/ownership.ts'
import { revokeCommand } from '../grant/revoke.ts'
import { readGiven } from '../policies/given.ts'

/** Something of somebody else's that stands against what a tenant is to be, and the command that ends it. */
export type Use = {
  readonly kind: 'grant' | 'exposure' | 'external grant' | 'pod'
  /** The grantee's or the pod's; empty for somebody outside. */
  readonly namespace: string
  readonly object: string
  readonly why: string
  readonly fix: string
  /** Accepted, it takes its namespace out of the rules about the node's loopback. */
  readonly exempts: boolean
}

/** What is about to hold: the state, whose repositories are new in it, and which of them nobody else is to read any more. */
export type Coming = {
  readonly state: Tenants
  readonly tenants: readonly string[]
  readonly privates: readonly string[]
  /** Those that are tenants already, of which a share can be made. */
  readonly known: readonly string[]
  /** The rules for every pod come with the first private tenant. */
  readonly isFirst: boolean
}

export async function foreignUses(kube: Kube, at: Installation, coming: Coming): Promise<readonly Use[]> {
  const pods = coming.privates.length === 0 ? [] : await podUses(kube, at, coming)
  return [...givenUses(await readGiven(kube, at), coming), ...pods]
}

/** What `--accept` left to others in private tenants. */
export function acceptedUses(state: Tenants, given: Given): readonly Use[] {
  const privates = privateOnes(state).map(({ namespace }) => namespace)
  return givenUses(given, { state, tenants: privates, privates })
}

type GivenAway = Pick<Coming, 'state' | 'tenants' | 'privates'>

const givenUses = ({ grants, exposures, external }: Given, coming: GivenAway): readonly Use[] => [
  ...grantUses(grants, coming),
  ...exposureUses(exposures, coming),
  ...externalUses(external, coming),
]

/** What is exposed as a whole leaves out what is private. */
const exposureUses = (exposures: readonly Exposure[], { privates }: GivenAway): readonly Use[] =>
  exposures.flatMap(({ host, repositories }) =>
    repositories
      .filter((one) => privates.includes(tenantOf(one)))
      .map((one) => ({
        kind: 'exposure',
        namespace: '',
        object: `${host} ${one}`,
        why: `${one} is exposed as ${host}`,
        fix: `regctl unexpose ${host}`,
        exempts: false,
      })),
  )

const externalUses = (external: readonly ExternalGrant[], { tenants }: GivenAway): readonly Use[] =>
  external
    .filter(({ repository }) => tenants.includes(tenantOf(repository)))
    .map((grant) => ({
      kind: 'external grant',
      namespace: '',
      object: `${grant.subject} ${grant.repository}`,
      why: `${grant.subject} of ${grant.issuer} may push ${grant.repository}`,
      fix: revokeExternalCommand(grant),
      exempts: false,
    }))

function grantUses(grants: readonly Grant[], { state, tenants, privates }: GivenAway): readonly Use[] {
  return grants
    .filter((grant) => {
      const tenant = tenantOf(grant.repository)
      if (!tenants.includes(tenant) || !isForeign(grant, tenant)) return false
      if (!grant.readOnly) return true
      return privates.includes(tenant) && !isShared(state, grant.repository, grant.namespace)
    })
    .map((grant) => ({
      kind: 'grant',
      namespace: grant.namespace,
      object: grantKey(grant),
      why: `${grant.developer ?? `namespace ${grant.namespace}`} may ${grant.readOnly ? 'read' : 'push'} ${grant.repository}`,
      fix: revokeCommand(grant),
      exempts: false,
    }))
}

async function podUses(kube: Kube, at: Installation, coming: Coming): Promise<readonly Use[]> {
  const [pods, namespaces, mesh] = await Promise.all([
    kube.list({ apiVersion: 'v1', kind: 'Pod' }) as Promise<readonly unknown[]>,
    kube.list({ apiVersion: 'v1', kind: 'Namespace' }),
    meshNamespace(kube),
  ])
  const exempt = exemptNamespaces(at, mesh)
  const uids = new Map(namespaces.map(({ metadata }) => [metadata.name, metadata.uid ?? '']))
  return (pods as readonly V1Pod[])
    .filter(({ metadata, status }) => {
      const isOver = ['Succeeded', 'Failed'].includes(status?.phase ?? '') || metadata?.deletionTimestamp !== undefined
      return !isOver && !exempt.includes(metadata?.namespace ?? '')
    })
    .flatMap((pod): readonly Use[] => {
      const { namespace = '', name = '' } = pod.metadata ?? {}
      const place = { namespace, uid: uids.get(namespace) ?? '' }
      return faultsOf(at, coming, place, pod).map(({ why, fix, exempts = false }) => ({
        kind: 'pod',
        namespace,
        object: `${namespace}/${name}`,
        why,
        exempts,
        fix: fix ?? `kubectl delete pod -n ${namespace} ${name}`,
      }))
    })
}

function faultsOf(
  at: Installation,
  { state, privates, known, isFirst }: Coming,
  place: { readonly namespace: string; readonly uid: string },
  pod: V1Pod,
): readonly { readonly why: string; readonly fix?: string; readonly exempts?: boolean }[] {
  const images = [...new Set(imagesOf(pod))].flatMap((image) => {
    const why = imageFault(at, state, place, image)
    if (why === undefined) return []
    const isWay = isOtherWay(at, state, image)
    if (!isFirst && (isWay || !privates.includes(tenantOf(repositoryOf(image))))) return []
    if (isWay) return [{ why }]
    const tenant = tenantOf(repositoryOf(image))
    const first = known.includes(tenant) ? '' : `regctl tenant add ${tenant}, then `
    return [{ why, fix: `${first}regctl share ${repositoryOf(image)} --with ${place.namespace}` }]
  })
  const loopback = isFirst && !state.exempt.includes(place.namespace) ? loopbackFaults(pod.spec) : []
  return [...images, ...loopback.map((why) => ({ why, exempts: true }))]
}

/** Every image a pod names. */
export function imagesOf({ spec }: V1Pod): readonly string[] {
  const containers = [
    ...(spec?.containers ?? []),
    ...(spec?.initContainers ?? []),
    ...(spec?.ephemeralContainers ?? []),
  ]
  return [
    ...containers.flatMap(({ image }) => image ?? []),
    ...(spec?.volumes ?? []).flatMap(({ image }) => image?.reference ?? []),
  ]
}

/** The addresses of the registry's Services, as an image would have to write them. */
export async function registryAddresses(kube: Kube, at: Installation): Promise<readonly string[]> {
  const services = await kube.list({ apiVersion: 'v1', kind: 'Service' }, { namespace: at.namespace })
  const addressesOf = (object: KubeObject) => {
    const { clusterIP, clusterIPs = [] } = (object as unknown as V1Service).spec ?? {}
    return [...clusterIPs, ...(clusterIP === undefined ? [] : [clusterIP])].filter((ip) => ip !== 'None' && ip !== '')
  }
  const all = services.filter((object) => isOurs(object, at)).flatMap(addressesOf)
  return [...new Set(all)].map((ip) => (ip.includes(':') ? `[${ip}]` : ip)).sort()
}
