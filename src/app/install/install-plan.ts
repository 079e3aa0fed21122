import { randomBytes } from 'node:crypto'
import type { V1PersistentVolumeClaim } from '@kubernetes/client-node'
import { EXTERNAL_LABEL } from '../../domain/external/grant.ts'
import { type Installation, ingressNamespace, ownerLabels } from '../../domain/installation.ts'
import { type KubeObject, type OwnerReference, refKey, refOf } from '../../domain/kube-object.ts'
import { PORT_SET_LABEL } from '../../domain/open-ports/place.ts'
import { setObjects } from '../../domain/open-ports/set-objects.ts'
import { type Change, changeOf, comparable } from '../../domain/plan.ts'
import { GRANT_LABEL, type Grant } from '../../domain/policy/grant.ts'
import {
  checkChange,
  DEFAULTS,
  type GivenSettings,
  installationOf,
  mergeSettings,
  type Settings,
} from '../../domain/settings.ts'
import type { MeshFacts } from '../../domain/stack/mesh-facts.ts'
import { type Exposed, isOwnNamespace, stack } from '../../domain/stack/stack.ts'
import { NO_TENANTS, TENANT_LABEL } from '../../domain/tenant/tenants.ts'
import { conflictError } from '../../errors.ts'
import type { Kube, Ports } from '../../ports.ts'
import { developerAccess } from '../cluster/developer-access.ts'
import { allInstalled } from '../cluster/installed.ts'
import { meshFacts, meshNamespace } from '../cluster/mesh.ts'
import { isOurs, liveObjects, ownedObjects } from '../cluster/ownership.ts'
import { exposedBy, readExposures } from '../expose/exposures.ts'
import { readExternalGrants, readIssuers } from '../external/grants.ts'
import { namespaceRef, ownerOf, readGrants } from '../grant/grants.ts'
import { readSets } from '../open-ports/ledger.ts'
import { makingOf } from '../open-ports/making.ts'
import { readTenants } from '../tenant/state.ts'

export type InstallPlan = {
  readonly at: Installation
  readonly settings: Settings
  readonly mesh: MeshFacts & { readonly trustDomain: string }
  readonly grants: readonly Grant[]
  readonly exposed: Exposed
  /** What to apply, in order. */
  readonly wanted: readonly KubeObject[]
  /** What an older regctl made and this one does not want. */
  readonly surplus: readonly KubeObject[]
  readonly changes: readonly Change[]
  /** Objects compared without the server's defaults, because their namespace does not exist yet. */
  readonly comparedLocally: boolean
}

/** What `up` would do: reads the cluster, writes nothing. */
export async function planInstall(ports: Ports, namespace: string, given: GivenSettings): Promise<InstallPlan> {
  const { kube } = ports
  const installed = await allInstalled(kube)
  const kept = installed.find((other) => other.at.namespace === namespace)
  if (kept === undefined && installed[0] !== undefined) {
    throw conflictError(
      'SECOND_INSTALL',
      `a registry is installed in namespace "${installed[0].at.namespace}" already`,
      {
        suggestions: [
          `regctl up --namespace ${installed[0].at.namespace}`,
          `regctl down --namespace ${installed[0].at.namespace}`,
        ],
      },
    )
  }
  const before = kept?.settings ?? (await settingsOfData(kube, namespace))
  const settings = mergeSettings(before, given)
  // After a `down` only the data is left to lose; the port is free again.
  if (before !== undefined) checkChange(kept === undefined ? { ...before, port: settings.port } : before, settings)
  const mesh = await meshFacts(ports, namespace, settings)
  const exposed = {
    exposures: kept === undefined ? [] : await readExposures(kube, { namespace }),
    type: await exposedBy(kube, { namespace }),
    external: kept === undefined ? [] : await readExternalGrants(kube, { namespace }),
    issuers: await readIssuers(kube, { namespace }),
  }
  const at = installationOf(namespace, settings, mesh.clusterDomain, exposed.exposures)
  const grants = kept === undefined ? [] : await readGrants(kube, at)
  const shipped = {
    registry: await ports.assets.manifests('registry.yaml'),
    nodeProxy: await ports.assets.manifests('node-proxy.yaml'),
    developerIngress: await ports.assets.manifests('developer-ingress.yaml'),
    gateway: await ports.assets.manifests('gateway.yaml'),
  }
  const access = at.developers === true ? await developerAccess(ports, at, settings, mesh) : undefined
  const tenants = {
    state: kept === undefined ? NO_TENANTS : await readTenants(kube, at),
    meshNamespace: await meshNamespace(kube),
  }
  const sets = kept === undefined ? [] : await readSets(kube, at)
  const { injection, admissionPolicies } = makingOf(mesh, settings.revision)
  const wanted = [
    ...stack(at, settings, mesh, shipped, grants, await ownersOf(kube, grants), access, exposed, tenants),
    ...sets.flatMap((set) => setObjects(at, set, injection, admissionPolicies)),
  ]
  const live = await liveObjects(kube, at, wanted)
  const { changes, comparedLocally } = await compare(kube, at, wanted, live)
  return {
    at,
    settings,
    mesh,
    grants,
    exposed,
    wanted,
    surplus: await surplusOf(kube, at, wanted),
    changes,
    comparedLocally,
  }
}

/** What the volume that a `down` left says of the settings; undefined where there is none. */
async function settingsOfData(kube: Kube, namespace: string): Promise<Settings | undefined> {
  const found = await kube.get({ apiVersion: 'v1', kind: 'PersistentVolumeClaim', namespace, name: 'registry-data' })
  if (found === undefined || !isOurs(found, { namespace })) return undefined
  const { storageClassName, resources } = (found as unknown as V1PersistentVolumeClaim).spec ?? {}
  return {
    ...DEFAULTS,
    size: resources?.requests?.storage ?? DEFAULTS.size,
    ...(storageClassName === undefined ? {} : { storageClass: storageClassName }),
  }
}

async function compare(
  kube: Kube,
  at: Installation,
  wanted: readonly KubeObject[],
  live: ReadonlyMap<string, KubeObject>,
) {
  const exists = new Set(
    [...live.values()].filter((object) => object.kind === 'Namespace').map((object) => object.metadata.name),
  )
  const changes = await Promise.all(
    wanted.map(async (object) => {
      const ref = refOf(object)
      const current = live.get(refKey(ref))
      const ours = ref.namespace !== undefined && isOwnNamespace(at, ref.namespace)
      const placeless = !ours || exists.has(ref.namespace ?? '')
      const after = placeless ? await kube.apply(object, { dryRun: true, force: true }) : object
      return changeOf(ref, current, current === undefined ? comparable(object) : after)
    }),
  )
  return {
    changes,
    comparedLocally: !wanted.every(({ kind, metadata: { name } }) => kind !== 'Namespace' || exists.has(name)),
  }
}

async function ownersOf(kube: Kube, grants: readonly Grant[]): Promise<ReadonlyMap<string, OwnerReference>> {
  const names = [...new Set(grants.map((grant) => grant.namespace))]
  const found = await Promise.all(names.map((name) => kube.get(namespaceRef(name))))
  return new Map(
    found.flatMap((object) => (object === undefined ? [] : [[object.metadata.name, ownerOf(object)] as const])),
  )
}

/** Kinds `up` never removes: they hold what the user has. `down` is for those. */
const KEPT = new Set(['Secret', 'PersistentVolumeClaim'])

const isKept = (at: Installation, { kind, metadata: { name } }: KubeObject): boolean =>
  KEPT.has(kind) || (kind === 'Namespace' && name !== ingressNamespace(at))

/** What goes by a command of its own, a revoke, `close-port` or `tenant remove`: `up` may have read it before another was made. */
const GOES_BY_ITSELF = [GRANT_LABEL, EXTERNAL_LABEL, PORT_SET_LABEL, TENANT_LABEL]

/** Ours by label and not wanted any more. */
async function surplusOf(kube: Kube, at: Installation, wanted: readonly KubeObject[]): Promise<readonly KubeObject[]> {
  const keep = new Set(wanted.map((object) => refKey(refOf(object))))
  const owned = await ownedObjects(kube, at)
  return owned.filter(
    (object) =>
      !keep.has(refKey(refOf(object))) &&
      !isKept(at, object) &&
      !GOES_BY_ITSELF.some((label) => label in (object.metadata.labels ?? {})),
  )
}

/** The registry signs upload sessions with it; made once and kept, so that an upload survives a new pod. */
export async function keepHttpSecret(kube: Kube, at: Installation): Promise<void> {
  await kube.create({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'registry-http', namespace: at.namespace, labels: ownerLabels(at) },
    type: 'Opaque',
    stringData: { secret: randomBytes(32).toString('base64url') },
  })
}
