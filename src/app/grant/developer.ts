import { randomInt } from 'node:crypto'
import { INGRESS_PORT } from '../../domain/installation.ts'
import { accountName } from '../../domain/policy/developer.ts'
import { expectations } from '../../domain/policy/expectation.ts'
import { type Grant, grantKey, grantName, grantPolicy, isDeveloper } from '../../domain/policy/grant.ts'
import { conflictError, preconditionError } from '../../errors.ts'
import type { Ports } from '../../ports.ts'
import { gatewayAddresses } from '../cluster/developer-access.ts'
import { type Installed, requireInstalled } from '../cluster/installed.ts'
import { meshTrustDomain } from '../cluster/mesh.ts'
import { checkDedicated } from './dedicated.ts'
import { giveAccess } from './developer-account.ts'
import { type GrantResult, overlapWarnings, requireNamespace } from './grant.ts'
import { grantsOf, ownerOf, readGrants, settleFences } from './grants.ts'
import { prove } from './prove.ts'
import { undoing } from './undo.ts'

export type DeveloperWanted = Omit<Grant, 'developer'> & { readonly developer: string }
type DeveloperGrant = DeveloperWanted & { readonly serviceAccount: string }

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
  const before = await readGrants(kube, at)
  const wanted = withAccount(asked, before)
  checkAccount(wanted, before)
  await checkDedicated(kube, wanted.namespace, wanted.serviceAccount)
  const held = before.some((other) => grantKey(other) === grantKey(wanted))
  const trustDomain = await meshTrustDomain(ports, at, settings.revision)
  const undo = undoing(ports, at, wanted, namespace, held)
  await report.step('Apply the policies', async () => {
    // First of all, so that whoever may not grant changes nothing.
    await kube.apply(grantPolicy(at, wanted, ownerOf(namespace)), { force: true })
    await settleFences(kube, at, [namespace]).catch(undo)
  })
  const changed = await report.step(`Let ${wanted.developer} be ${wanted.serviceAccount}`, () =>
    giveAccess(kube, at, wanted, ownerOf(namespace), options.forward).catch(undo),
  )
  const grantsNow = async () => grantsOf(wanted.namespace, await readGrants(kube, at))
  const provenIn = await report.step("Prove them in the registry's proxy", () =>
    prove(ports, at, async () => expectations(at, trustDomain, await grantsNow()), options.timeoutMs).catch(undo),
  )
  return {
    grant: wanted,
    policy: grantName(wanted),
    changed: changed || !held,
    addedLabels: {},
    warnings: [
      ...overlapWarnings(wanted, before),
      ...accountWarnings(wanted, asked, before),
      ...(await reachWarnings(ports, installed, wanted, options.forward)),
    ],
    provenIn,
  }
}

function requireIngress({ settings }: Installed): void {
  if (settings.developerIngress === true) return
  throw preconditionError('NO_DEVELOPER_INGRESS', 'developers have no way in: their gateway is not installed', {
    suggestions: ['regctl up --developer-ingress'],
  })
}

/** The account the developer has there already, or a new one. */
function withAccount(asked: DeveloperWanted, before: readonly Grant[]): DeveloperGrant {
  if (asked.serviceAccount !== undefined) return { ...asked, serviceAccount: asked.serviceAccount }
  const held = before.find((other) => other.namespace === asked.namespace && other.developer === asked.developer)
  return { ...asked, serviceAccount: held?.serviceAccount ?? accountName(asked.developer, fiveLetters()) }
}

const LETTERS = 'bcdfghjklmnpqrstvwxz2456789'
const fiveLetters = (): string => Array.from({ length: 5 }, () => LETTERS[randomInt(LETTERS.length)]).join('')

/** A certificate names the account and not the person, so an account is one developer's, and no workload's. */
function checkAccount(wanted: DeveloperGrant, before: readonly Grant[]): void {
  const { namespace, serviceAccount, developer } = wanted
  const other = before.find(
    (one) => one.namespace === namespace && one.serviceAccount === serviceAccount && one.developer !== developer,
  )
  if (other === undefined) return
  const whose = isDeveloper(other) ? other.developer : 'workloads, by a grant of theirs'
  throw conflictError('ACCOUNT_TAKEN', `service account ${namespace}/${serviceAccount} is for ${whose}`, {
    suggestions: ['leave --service-account out, to have one made'],
  })
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

async function reachWarnings(
  ports: Ports,
  { at, settings }: Installed,
  { developer }: DeveloperGrant,
  forward: boolean,
): Promise<readonly string[]> {
  if (forward || (await gatewayAddresses(ports, at, settings)).length > 0) return []
  return [
    `the gateway has no address yet that ${developer} could reach: grant again with --allow-gateway-forward, or give dev-forward one that leads to its port ${INGRESS_PORT} by --gateway HOST:PORT`,
  ]
}
