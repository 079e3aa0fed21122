import { INGRESS_PORT } from '../../domain/installation.ts'
import { describeRef, type KubeObject, refOf } from '../../domain/kube-object.ts'
import type { Grant } from '../../domain/policy/grant.ts'
import { accessOf, accessRef } from '../../domain/stack/developer-access.ts'
import { RegctlError } from '../../errors.ts'
import type { Kube, Ports } from '../../ports.ts'
import type { Installed } from '../cluster/installed.ts'
import type { DeveloperGrant, DeveloperWanted } from './developer.ts'
import { overlapWarnings } from './grant.ts'

type Given = { readonly forward: boolean; readonly asked: DeveloperWanted; readonly before: readonly Grant[] }

/** What whoever grants to a developer should know, and the grant alone does not say. */
export async function developerWarnings(
  ports: Ports,
  installed: Installed,
  wanted: DeveloperGrant,
  { forward, asked, before }: Given,
): Promise<readonly string[]> {
  return [
    ...overlapWarnings(wanted, before),
    ...accountWarnings(wanted, asked, before),
    ...(await groupWarnings(ports.kube, wanted)),
    ...(await reachWarnings(ports.kube, installed, wanted, forward)),
  ]
}

/** An account that has a name of its own may have had a life before; certificates renew themselves without end. */
function accountWarnings(wanted: DeveloperGrant, asked: DeveloperWanted, before: readonly Grant[]): readonly string[] {
  const { namespace, serviceAccount } = wanted
  const known = before.some((one) => one.namespace === namespace && one.serviceAccount === serviceAccount)
  if (asked.serviceAccount === undefined || known) return []
  return [
    `whoever was ${namespace}/${serviceAccount} before has this grant too, for certificates renew themselves; without --service-account the account is new`,
  ]
}

/** istiod lets an identity of the namespace in as an endpoint of such a group, with whatever address it gives. */
async function groupWarnings(kube: Kube, { namespace, developer }: DeveloperGrant): Promise<readonly string[]> {
  const groups = await kube
    .list({ apiVersion: 'networking.istio.io/v1', kind: 'WorkloadGroup' }, { namespace })
    .catch((error: unknown) => {
      // Granting needs no right to see them.
      if (error instanceof RegctlError && error.code === 'FORBIDDEN') return []
      throw error
    })
  const template = ({ spec }: KubeObject) =>
    (spec as { readonly template?: { readonly serviceAccount?: string } } | undefined)?.template
  return groups
    .filter((group) => (template(group)?.serviceAccount ?? '') === '')
    .map(
      (group) =>
        `${describeRef(refOf(group))} names no service account, so ${developer} may join it as a workload: set its spec.template.serviceAccount`,
    )
}

async function reachWarnings(
  kube: Kube,
  { at }: Installed,
  { developer }: DeveloperGrant,
  forward: boolean,
): Promise<readonly string[]> {
  const told = await kube.get(accessRef(at))
  const addresses = told === undefined ? [] : (accessOf(told)?.addresses ?? [])
  if (forward || addresses.length > 0) return []
  return [
    `the gateway has no address yet that ${developer} could reach: grant again with --allow-gateway-forward, or give dev-forward one that leads to its port ${INGRESS_PORT} by --gateway HOST:PORT`,
  ]
}
