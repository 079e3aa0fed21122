import { isDeepStrictEqual } from 'node:util'
import type { ExternalGrant } from '../../domain/external/grant.ts'
import { DEVELOPERS, type Installation, servingPorts } from '../../domain/installation.ts'
import { inApplyOrder } from '../../domain/kinds.ts'
import { type KubeObject, refKey, refOf } from '../../domain/kube-object.ts'
import { EXPOSURE_LABEL, type Exposure } from '../../domain/policy/exposure.ts'
import { type IngressType, installationOf } from '../../domain/settings.ts'
import { outsidePort } from '../../domain/stack/developer-ingress.ts'
import { refusalBody } from '../../domain/stack/envoy-filter.ts'
import { exposing } from '../../domain/stack/exposure.ts'
import { exposingGateway } from '../../domain/stack/gateway-admission.ts'
import { registrySidecar } from '../../domain/stack/mesh.ts'
import type { MeshFacts } from '../../domain/stack/mesh-facts.ts'
import type { Ports } from '../../ports.ts'
import type { Installed } from '../cluster/installed.ts'
import { ownedObjects } from '../cluster/ownership.ts'
import { readExternalGrants } from '../external/grants.ts'
import { prune } from '../install/prune.ts'
import { exposedBy, readExposures } from './exposures.ts'

export type Given = Installed & { readonly mesh: MeshFacts; readonly type?: IngressType | undefined }

/** The installation as these exposures have it. */
export const withExposures = ({ at, settings }: Installed, exposures: readonly Exposure[]): Installation =>
  installationOf(at.namespace, settings, at.clusterDomain, exposures)

/** Everything these exposures are made of beside their policies and the fence. */
export async function exposureObjects(
  ports: Ports,
  given: Given,
  exposures: readonly Exposure[],
  external?: readonly ExternalGrant[],
): Promise<readonly KubeObject[]> {
  const at = withExposures(given, exposures)
  const [gateway, port, type, tokens] = await Promise.all([
    ports.assets.manifests('gateway.yaml'),
    ports.assets.manifests('developer-ingress.yaml'),
    given.type ?? exposedBy(ports.kube, at),
    external ?? readExternalGrants(ports.kube, at),
  ])
  return inApplyOrder([
    // The registry's proxy has the port for those outside only while there is a way to it.
    registrySidecar(at),
    refusalBody(at),
    ...(servingPorts(at).length > 1 ? outsidePort(at, port) : []),
    ...exposing(at, { type, revision: given.settings.revision }, given.mesh, gateway, exposures, tokens),
  ])
}

/**
 * Has the gateway follow the exposures that are in the cluster now, and gives what went. They are read again after the
 * writing: whoever exposes or unexposes at the same time is then seen by one of the two, never by none.
 */
export async function followExposures(
  ports: Ports,
  given: Given,
  timeoutMs: number,
  note: (text: string) => void,
): Promise<readonly string[]> {
  const removed: string[] = []
  for (;;) {
    const [exposures, external] = await seen(ports, given)
    const wanted = await exposureObjects(ports, given, exposures, external)
    for (const object of wanted) {
      note(`${object.kind} ${object.metadata.name}`)
      await ports.kube.apply(object, { force: true })
    }
    removed.push(...(await prune(ports, given.at, await surplusOf(ports, given.at, wanted), timeoutMs)))
    if (isDeepStrictEqual(await seen(ports, given), [exposures, external])) return removed
  }
}

const seen = ({ kube }: Ports, { at }: Given) => Promise.all([readExposures(kube, at), readExternalGrants(kube, at)])

/** What is left of exposures that are gone. */
async function surplusOf(
  { kube }: Ports,
  at: Installation,
  wanted: readonly KubeObject[],
): Promise<readonly KubeObject[]> {
  const keep = new Set(wanted.map((object) => refKey(refOf(object))))
  const { namespace: home, policy } = exposingGateway(at)
  const isExposures = ({ kind, metadata: { name, namespace, labels } }: KubeObject) =>
    namespace === home ||
    (kind === 'Namespace' && name === home) ||
    name === policy ||
    (namespace === at.namespace && name === DEVELOPERS) ||
    (labels?.[EXPOSURE_LABEL] !== undefined && kind !== 'AuthorizationPolicy')
  const owned = await ownedObjects(kube, at)
  return owned.filter((object) => isExposures(object) && !keep.has(refKey(refOf(object))))
}
