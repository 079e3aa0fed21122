import type { Installation } from '../../domain/installation.ts'
import { type Grant, grantKey, grantName, grantPolicy } from '../../domain/policy/grant.ts'
import type { ProxyTemplate } from '../../domain/stack/mesh-facts.ts'
import { isOwnNamespace } from '../../domain/stack/stack.ts'
import { conflictError, preconditionError } from '../../errors.ts'
import type { Ports } from '../../ports.ts'
import { type Installed, requireInstalled } from '../cluster/installed.ts'
import { authorityOf, proxyTemplate, trustDomainOf } from '../cluster/mesh.ts'
import { settlePolicies } from '../policies/settle.ts'
import { checkTenant } from '../tenant/guard.ts'
import { proveTenants } from '../tenant/prove.ts'
import { checkAccount, comesSecond, withAccount } from './account.ts'
import { checkDedicated } from './dedicated.ts'
import { giveAccess } from './developer-account.ts'
import { developerWarnings } from './developer-warnings.ts'
import { type GrantResult, requireNamespace } from './grant.ts'
import { grantPolicies, grantsIn, ownerOf } from './grants.ts'
import { takeBack } from './revoke.ts'
import { undoing } from './undo.ts'

export type DeveloperWanted = Omit<Grant, 'developer'> & { readonly developer: string }
export type DeveloperGrant = DeveloperWanted & { readonly serviceAccount: string }

/**
 * Gives a person or a group a repository: a service account of their own, the right to its token and nothing else, and the
 * policy at the developers' port. Taken back when it cannot be proven.
 */
export async function grantDeveloper(
  ports: Ports,
  registryNamespace: string,
  asked: DeveloperWanted,
  options: { readonly forward: boolean; readonly timeoutMs: number },
): Promise<GrantResult> {
  const { kube, report } = ports
  const installed = await requireInstalled(kube, registryNamespace)
  const { at, settings } = installed
  requireIngress(installed)
  const namespace = await requireNamespace(ports, asked.namespace)
  refuseOwnNamespaces(at, asked.namespace)
  const template = await proxyTemplate(ports, at, settings.revision)
  refuseControlPlane(template, asked.namespace)
  const policies = await grantPolicies(kube, at)
  const before = grantsIn(policies)
  const wanted = withAccount(asked, policies)
  checkAccount(wanted, before)
  await checkDedicated(kube, wanted.namespace, wanted.serviceAccount)
  const held = before.some((other) => grantKey(other) === grantKey(wanted))
  if (!held) await checkTenant(kube, at, wanted)
  const trustDomain = trustDomainOf(template)
  const undo = undoing(ports, at, wanted, held)
  const settled = async () => {
    // Of grants at the same time each sees the other by now, or is seen.
    const now = await grantPolicies(kube, at)
    checkAccount(wanted, grantsIn(now))
    if (!held) await checkTenant(kube, at, wanted)
    if (asked.serviceAccount === undefined && !held && comesSecond(wanted, now)) return false
    await settlePolicies(kube, at)
    return true
  }
  const isFirst = await report.step('Apply the policies', async () => {
    // First of all, so that whoever may not grant changes nothing.
    await kube.apply(grantPolicy(at, wanted, ownerOf(namespace)), { force: true })
    return settled().catch(undo)
  })
  if (!isFirst) {
    await takeBack(ports, at, wanted)
    return grantDeveloper(ports, registryNamespace, asked, options)
  }
  const changed = await report.step(`Let ${wanted.developer} be ${wanted.serviceAccount}`, () =>
    giveAccess(kube, at, wanted, ownerOf(namespace), options.forward).catch(undo),
  )
  const provenIn = await report.step("Prove them in the registry's proxy", () =>
    proveTenants(ports, at, trustDomain, [wanted.namespace], options.timeoutMs).catch(undo),
  )
  return {
    grant: wanted,
    policy: grantName(wanted),
    changed: changed || !held,
    addedLabels: {},
    warnings: await developerWarnings(ports, installed, wanted, { ...options, asked, before }),
    provenIn,
  }
}

function requireIngress({ at }: Installed): void {
  if (at.developers === true || at.outside === true) return
  throw preconditionError('NO_DEVELOPER_INGRESS', 'developers have no way in: their gateway is not installed', {
    suggestions: ['regctl up --developer-ingress', 'regctl expose HOST --tls istio'],
  })
}

/** Policies and grants of the registry's namespaces are about its own workloads. */
function refuseOwnNamespaces(at: Installation, namespace: string): void {
  if (!isOwnNamespace(at, namespace)) return
  throw conflictError('OWN_NAMESPACE', `namespace "${namespace}" is the registry's own, and no developer's`, {
    suggestions: ['kubectl create namespace TEAM, and grant there'],
  })
}

/** To an identity of its own namespace istiod tells all there is, by the way that developers get their certificates. */
function refuseControlPlane(template: ProxyTemplate, namespace: string): void {
  const [, home] = authorityOf(template).host.split('.')
  if (home !== namespace) return
  throw conflictError(
    'CONTROL_PLANE_NAMESPACE',
    `namespace "${namespace}" is istiod's: an identity there may read the configuration of all of the mesh`,
    { suggestions: ['grant in a namespace of the developers'] },
  )
}
