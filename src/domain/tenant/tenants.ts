import { type Installation, ownerLabels } from '../installation.ts'
import type { KubeObject, ObjectRef } from '../kube-object.ts'
import type { Grant } from '../policy/grant.ts'
import { isWithin } from '../repository.ts'

/** Name of the ConfigMap that says who the tenants are. */
export const TENANTS = 'tenants'

/** On everything that is there for the sake of tenants. Its value is the tenant, or empty for what all of them share. */
export const TENANT_LABEL = 'regctl.dev/tenant'

/** A namespace to which the repository of its name belongs, with all below it. */
export type Tenant = {
  readonly namespace: string
  /** A namesake that is made later is somebody else. */
  readonly uid: string
  readonly private: boolean
  /** The grant that `tenant add` made: of one service account, or with `null` of all. Absent where it was there before. */
  readonly granted?: string | null
}

/** A repository of a tenant's, with all below it, that another namespace may use as if it were public. */
export type Share = { readonly repository: string; readonly namespace: string; readonly uid: string }

export type Tenants = {
  readonly tenants: readonly Tenant[]
  readonly shares: readonly Share[]
  /** The registry's addresses in the cluster, as an image could name them. */
  readonly addresses: readonly string[]
  /** Namespaces whose pods may reach their node's loopback, because `--accept` said so. */
  readonly exempt: readonly string[]
}

export const NO_TENANTS: Tenants = { tenants: [], shares: [], addresses: [], exempt: [] }

export const tenantsRef = ({ namespace }: Pick<Installation, 'namespace'>): ObjectRef => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  namespace,
  name: TENANTS,
})

/** No namespace and no first part of a repository starts with it. */
export const ADDRESSES = '_addresses'
export const EXEMPT = '_exempt'

/** Keys are names, and values words, so that admission looks an image up and many tenants cost what few do. */
export function tenantsData({ tenants, shares, addresses, exempt }: Tenants): Readonly<Record<string, string>> {
  const pairs = Map.groupBy(shares, ({ repository, namespace }) => `${tenantOf(repository)}.${namespace}`)
  return {
    [ADDRESSES]: [...addresses].sort().join(' '),
    [EXEMPT]: [...new Set(exempt)].sort().join(' '),
    ...Object.fromEntries(tenants.map((tenant) => [tenant.namespace, tenantWords(tenant)])),
    ...Object.fromEntries(
      [...pairs].map(([key, some]) => [
        key,
        [some[0]?.uid, ...new Set(some.map(({ repository }) => repository))].join(' '),
      ]),
    ),
  }
}

/** What admission has to know of it. */
export function admissionData(state: Tenants): Readonly<Record<string, string>> {
  const tenants = privateOnes(state).map(({ namespace, uid }) => ({ namespace, uid, private: true }))
  const shares = state.shares.filter(({ repository }) =>
    tenants.some(({ namespace }) => namespace === tenantOf(repository)),
  )
  return tenantsData({ tenants, shares, addresses: state.addresses, exempt: [] })
}

const tenantWords = ({ private: own, uid, granted }: Tenant): string =>
  [own ? 'private' : 'public', uid, ...(granted === undefined ? [] : [`granted=${granted ?? '*'}`])].join(' ')

export function tenantsObject(at: Installation, tenants: Tenants): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: TENANTS, namespace: at.namespace, labels: { ...ownerLabels(at), [TENANT_LABEL]: '' } },
    data: tenantsData(tenants),
  }
}

/** Reads them back; what nobody of us wrote is left out. */
export function tenantsOf(object: KubeObject | undefined): Tenants {
  const data = (object?.data ?? {}) as Readonly<Record<string, string>>
  const words = (key: string) => (data[key] ?? '').split(' ').filter((word) => word !== '')
  const entries = Object.entries(data).filter(([key]) => !key.startsWith('_'))
  return {
    tenants: entries
      .filter(([key]) => !key.includes('.'))
      .flatMap(([key, value]) => tenantFrom(key, value) ?? [])
      .sort((a, b) => (a.namespace < b.namespace ? -1 : 1)),
    shares: entries.filter(([key]) => key.includes('.')).flatMap(([key, value]) => sharesFrom(key, value)),
    addresses: words(ADDRESSES),
    exempt: words(EXEMPT),
  }
}

function tenantFrom(namespace: string, value: string): Tenant | undefined {
  const [access, uid, granted] = value.split(' ')
  if ((access !== 'private' && access !== 'public') || uid === undefined) return undefined
  const account = /^granted=(.+)$/.exec(granted ?? '')?.[1]
  return {
    namespace,
    uid,
    private: access === 'private',
    ...(account === undefined ? {} : { granted: account === '*' ? null : account }),
  }
}

function sharesFrom(key: string, value: string): readonly Share[] {
  const [uid = '', ...repositories] = value.split(' ')
  const namespace = key.slice(key.indexOf('.') + 1)
  return repositories.map((repository) => ({ repository, namespace, uid }))
}

/** The namespace a repository belongs to, if it is a tenant. */
export const tenantOf = (repository: string): string => repository.split('/')[0] ?? ''

export const privateOnes = ({ tenants }: Tenants): readonly Tenant[] => tenants.filter((tenant) => tenant.private)

export const findTenant = ({ tenants }: Tenants, namespace: string): Tenant | undefined =>
  tenants.find((tenant) => tenant.namespace === namespace)

/** The grant of its own repository, as `tenant add` makes it. */
export const tenantGrant = (namespace: string, account: string | null): Grant => ({
  namespace,
  ...(account === null ? {} : { serviceAccount: account }),
  repository: namespace,
  exact: false,
  readOnly: false,
})

/** Does the repository, which belongs to somebody else, stand open to this namespace by a share? */
export const isShared = ({ shares }: Tenants, repository: string, namespace: string): boolean =>
  shares.some((share) => share.namespace === namespace && isWithin(repository, share.repository))

/** A grant that lets others into a tenant's repositories. */
export const isForeign = (grant: Grant, tenant: string): boolean =>
  grant.namespace !== tenant && isWithin(grant.repository, tenant)

/** The state with one tenant set. */
export const withTenant = (state: Tenants, tenant: Tenant): Tenants => ({
  ...state,
  tenants: [...state.tenants.filter(({ namespace }) => namespace !== tenant.namespace), tenant],
})

/** The state without a tenant and all it shared. */
export const withoutTenant = (state: Tenants, namespace: string): Tenants => ({
  ...state,
  tenants: state.tenants.filter((tenant) => tenant.namespace !== namespace),
  shares: state.shares.filter(({ repository }) => tenantOf(repository) !== namespace),
})
