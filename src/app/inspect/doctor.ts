import { exposeNamespace, ingressNamespace, nodeNamespace } from '../../domain/installation.ts'
import { describeRef } from '../../domain/kube-object.ts'
import { isOnOwnGateway } from '../../domain/policy/exposure.ts'
import type { Grant } from '../../domain/policy/grant.ts'
import { RegctlError } from '../../errors.ts'
import type { Ports } from '../../ports.ts'
import { findInstalled } from '../cluster/installed.ts'
import { findIstiods } from '../cluster/mesh.ts'
import { useOf, useText } from '../grant/dedicated.ts'
import { planInstall } from '../install/install-plan.ts'
import { preflight, withRights } from '../install/preflight.ts'
import { listTenants } from '../tenant/list.ts'
import { foreignReach, longestCertificate, podAccess } from './reach.ts'
import { status } from './status.ts'

export type Level = 'ok' | 'note' | 'problem'

/** One thing looked at. `fix` is a command or a decision that mends it. */
export type Finding = { readonly level: Level; readonly what: string; readonly fix?: string }

/** Preflight and state, read only. */
export async function doctor(ports: Ports, namespace: string): Promise<readonly Finding[]> {
  const findings: Finding[] = []
  // Preflight's remarks become findings instead of warnings on the way.
  const quiet: Ports = {
    ...ports,
    report: {
      step: (_title, run) => run(() => {}),
      info: (what) => void findings.push({ level: 'note', what }),
      warn: (what) => void findings.push({ level: 'note', what }),
    },
  }
  const plan = await guarded(findings, () => withRights(quiet, namespace, () => planInstall(quiet, namespace, {})))
  if (plan !== undefined)
    await guarded(findings, async () => {
      await preflight(quiet, plan, (text) => void findings.push({ level: 'ok', what: text }))
      findings.push({ level: 'ok', what: 'rights, storage and the host port are as up needs them' })
    })
  const installed = await findInstalled(ports.kube, namespace)
  if (installed === undefined)
    return [
      ...findings,
      { level: 'note', what: `no registry is installed in namespace "${namespace}"`, fix: 'regctl up' },
    ]
  const drift = (plan?.changes ?? []).filter(({ action }) => action !== 'unchanged').map(({ ref }) => describeRef(ref))
  if (drift.length > 0)
    findings.push({
      level: 'problem',
      what: `not as regctl left it: ${drift.join(', ')}`,
      fix: 'regctl up --dry-run, then regctl up',
    })
  const state = await status(quiet, namespace)
  findings.push(...state.problems.map(({ what, fix }) => ({ level: 'problem' as const, what, fix })))
  if (state.problems.length === 0)
    findings.push({ level: 'ok', what: 'the registry, every node proxy and every policy are in force' })
  return [
    ...findings,
    ...(await accountFindings(ports, state.grants)),
    ...(await tenantFindings(ports, namespace)),
    ...(await exposure(ports, installed.at, [
      ...(state.exposures.some(isOnOwnGateway) ? [exposeNamespace(installed.at)] : []),
      ...state.grants.map((grant) => grant.namespace),
    ])),
  ]
}

async function guarded<T>(findings: Finding[], run: () => Promise<T>): Promise<T | undefined> {
  try {
    return await run()
  } catch (error) {
    if (!(error instanceof RegctlError)) throw error
    findings.push({
      level: 'problem',
      what: error.message,
      ...(error.suggestions[0] === undefined ? {} : { fix: error.suggestions[0] }),
    })
    return undefined
  }
}

/** From whom nothing is private, which an administrator should know by name. */
async function tenantFindings(ports: Ports, namespace: string): Promise<readonly Finding[]> {
  const { tenants, exempt } = await listTenants(ports, namespace)
  if (!tenants.some((tenant) => tenant.private)) return []
  return [
    { level: 'note', what: `images of private tenants are open to whoever may make pods in ${exempt.join(', ')}` },
  ]
}

/** A grant makes sure that a developer's account is nobody else's; what came later shows here. */
async function accountFindings({ kube }: Ports, grants: readonly Grant[]): Promise<readonly Finding[]> {
  const owners = new Map(
    grants.flatMap(({ namespace, serviceAccount, developer }) =>
      developer === undefined ? [] : [[`${namespace}/${serviceAccount}`, developer] as const],
    ),
  )
  const found = await Promise.all(
    [...owners].map(async ([account, developer]): Promise<readonly Finding[]> => {
      const [namespace = '', name = ''] = account.split('/')
      const use = await useOf(kube, namespace, name)
      if (use === undefined) return []
      const fix = use.pods.length > 0 ? `kubectl delete pod -n ${namespace} ${use.pods.join(' ')}` : 'take it out there'
      return [{ level: 'problem', what: `service account ${account} is for ${developer} alone: ${useText(use)}`, fix }]
    }),
  )
  return found.flat()
}

async function exposure(
  ports: Ports,
  at: Parameters<typeof foreignReach>[1],
  others: readonly string[],
): Promise<readonly Finding[]> {
  const istiod = (await findIstiods(ports))[0]
  const { allows, filters, tokens } = await foreignReach(ports, at, istiod?.namespace ?? 'istio-system')
  const gateway = at.developers === true ? [ingressNamespace(at)] : []
  const access = await podAccess(ports, [...new Set([at.namespace, nodeNamespace(at), ...gateway, ...others])])
  const deployment =
    istiod === undefined
      ? undefined
      : await ports.kube.get({
          apiVersion: 'apps/v1',
          kind: 'Deployment',
          namespace: istiod.namespace,
          name: istiod.name,
        })
  return [
    ...allows.map(
      (what): Finding => ({
        level: 'problem',
        what: `${what} allows requests to the registry and is not regctl's; the fence holds against it, but it is one mistake away`,
        fix: `give it a selector, or delete it`,
      }),
    ),
    ...filters.map(
      (what): Finding => ({
        level: 'note',
        what: `${what} changes the registry's or its proxies' Envoy and is not regctl's`,
        fix: 'make sure it is meant to',
      }),
    ),
    ...tokens.map(
      (what): Finding => ({
        level: 'note',
        what: `${what} has tokens checked at the registry and is not regctl's: builders and nodes are refused, too, with one it cannot check`,
        fix: 'give it a selector, or make sure it is meant to',
      }),
    ),
    ...access
      .filter(({ subjects }) => subjects.length > 0)
      .map(
        ({ namespace, right, subjects }): Finding => ({
          level: 'note',
          what: `${right} in ${namespace}: ${subjects.join(', ')}`,
        }),
      ),
    {
      level: 'note',
      what: `a workload certificate may live ${longestCertificate(deployment)}, and istiod renews it for whoever has it, also without the service account; a revoke ends what it is worth at once`,
    },
    {
      level: 'note',
      what: `a host process on a node's port ${at.port} shows as that node's proxy not being ready; hostNetwork pods and root on a node read every image, which nothing here can see or stop`,
    },
  ]
}
