import { addTenants, type TenantOptions, type TenantsWanted } from '../../../src/app/tenant/add.ts'
import { removeTenants } from '../../../src/app/tenant/remove.ts'
import { share, unshare } from '../../../src/app/tenant/share.ts'
import { readTenants } from '../../../src/app/tenant/state.ts'
import { decide } from '../../../src/domain/envoy/rbac.ts'
import type { KubeObject } from '../../../src/domain/kube-object.ts'
import type { RegctlError } from '../../../src/errors.ts'
import { at } from '../../domain/at.ts'
import { type FakeCluster, installedCluster, namespace } from '../../fakes/cluster.ts'

const REGISTRY = 'kube-registry'

/** A cluster with these namespaces besides. */
export async function withNamespaces(...names: readonly string[]) {
  const cluster = await installedCluster()
  for (const name of names) cluster.store.put(namespace(name))
  return cluster
}

const OPTIONS: TenantOptions = { inject: false, mergeSidecar: false, accept: false, timeoutMs: 30_000 }

export const add = (
  { ports }: FakeCluster,
  names: string,
  more: Partial<TenantsWanted & TenantOptions> = { private: true },
) => {
  const { private: own, serviceAccount, ...options } = more
  const wanted = {
    namespaces: names.split(' '),
    ...(own === undefined ? {} : { private: own }),
    ...(serviceAccount === undefined ? {} : { serviceAccount }),
  }
  return addTenants(ports, REGISTRY, wanted, { ...OPTIONS, ...options })
}

export const drop = ({ ports }: FakeCluster, name: string) => removeTenants(ports, REGISTRY, name.split(' '), 30_000)

export const shareWith = ({ ports }: FakeCluster, repository: string, name: string) =>
  share(ports, REGISTRY, repository, name, 30_000)

export const unshareFrom = ({ ports }: FakeCluster, repository: string, name: string) =>
  unshare(ports, REGISTRY, repository, name, 30_000)

/** The tenants and shares, in words. */
export async function told({ kube }: FakeCluster): Promise<readonly string[]> {
  const { tenants, shares } = await readTenants(kube, at)
  return [
    ...tenants.map((tenant) => `${tenant.namespace} ${tenant.private ? 'private' : 'public'}`),
    ...shares.map(({ repository, namespace: name }) => `${repository} with ${name}`),
  ]
}

/** May an account of the namespace read this by its grants? */
export const reads = ({ mesh }: FakeCluster, name: string, repository: string): boolean =>
  decide(mesh.filters(), {
    principal: `spiffe://cluster.local/ns/${name}/sa/default`,
    method: 'GET',
    path: `/v2/${repository}/manifests/1`,
    host: 'localhost:5000',
    port: 5000,
  }).allowed

/** Everything that is there for tenants. */
export const left = ({ store }: FakeCluster): readonly string[] =>
  [
    ['v1', 'ConfigMap'],
    ['security.istio.io/v1', 'AuthorizationPolicy'],
    ['networking.istio.io/v1alpha3', 'EnvoyFilter'],
    ['admissionregistration.k8s.io/v1', 'ValidatingAdmissionPolicy'],
    ['admissionregistration.k8s.io/v1', 'ValidatingAdmissionPolicyBinding'],
  ].flatMap(([apiVersion = '', kind = '']) =>
    store
      .list({ apiVersion, kind }, { labelSelector: 'regctl.dev/tenant' })
      .map(({ metadata }: KubeObject) => `${kind} ${metadata.name}`),
  )

/** The error it ends with. */
export const refusal = (doing: Promise<unknown>): Promise<RegctlError> =>
  doing.then(
    () => {
      throw new Error('it was not refused')
    },
    (error: RegctlError) => error,
  )
