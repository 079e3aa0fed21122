import { isDeepStrictEqual } from 'node:util'
import { WORKLOAD_KINDS } from '../../domain/kinds.ts'
import { describeRef, type KubeObject, refOf } from '../../domain/kube-object.ts'
import { setOf } from '../../domain/open-ports/place.ts'
import type { Change } from '../../domain/plan.ts'
import { expectations } from '../../domain/policy/expectation.ts'
import { isOnOwnGateway } from '../../domain/policy/exposure.ts'
import { isFollowing } from '../../domain/policy/policies.ts'
import { privateExpectations } from '../../domain/policy/private-expectation.ts'
import { developerGateway, exposingGateway, type OwnGateway } from '../../domain/stack/gateway-admission.ts'
import { STATE } from '../../domain/stack/stack.ts'
import { clusterError, RegctlError } from '../../errors.ts'
import type { Ports } from '../../ports.ts'
import { readExposures } from '../expose/exposures.ts'
import { settleExternal } from '../external/settle.ts'
import { readGrants } from '../grant/grants.ts'
import { prove } from '../grant/prove.ts'
import { readSets } from '../open-ports/ledger.ts'
import { makingOf } from '../open-ports/making.ts'
import { settleSet } from '../open-ports/settle.ts'
import { settlePolicies, settleTenants } from '../policies/settle.ts'
import { changeTenants, readTenants } from '../tenant/state.ts'
import { registryAddresses } from '../tenant/uses.ts'
import { keepAcceptedFilters } from './filter-rollback.ts'
import { proveIngress, publishAccess } from './ingress.ts'
import { type InstallPlan, keepHttpSecret } from './install-plan.ts'
import { proveNodeGateways } from './node-gateway.ts'
import { orAsBefore } from './node-switch.ts'
import { preflight } from './preflight.ts'
import { prune } from './prune.ts'
import { waitReady } from './rollout.ts'
import { selfTest } from './self-test.ts'

export type InstallOptions = { readonly wait: boolean; readonly timeoutMs: number }

export type InstallResult = {
  readonly namespace: string
  readonly port: number
  readonly changed: readonly string[]
  readonly removed: readonly string[]
  readonly ready: boolean
}

/**
 * Written by `settle`: fences follow the grants there are when they are written, not when the plan was made. What lets builders
 * read comes before the grants all the same, which gave that themselves in older versions.
 */
const isFence = (object: KubeObject): boolean =>
  isFollowing(object) && (object.spec as { action?: string }).action === 'DENY'

/** Carries a plan out: policies first, then what serves, then the proof that it is as it should be. */
export async function install(ports: Ports, plan: InstallPlan, options: InstallOptions): Promise<InstallResult> {
  const { report } = ports
  await report.step('Check the cluster', (note) => preflight(ports, plan, note))
  const pending = plan.changes.filter((change) => change.action !== 'unchanged')
  await report.step('Apply namespaces, policies and settings', async (note) => {
    await applyAll(ports, plan, (object) => !WORKLOAD_KINDS.has(object.kind), note)
    await settle(ports, plan)
  })
  await report.step('Apply the registry and its proxies', (note) =>
    applyAll(ports, plan, (object) => WORKLOAD_KINDS.has(object.kind), note),
  )
  await settlePorts(ports, plan)
  const deadline = ports.clock.now() + options.timeoutMs
  if (options.wait) await orAsBefore(ports, plan, (hopeless) => untilReady(ports, plan, options.timeoutMs, hopeless))
  // Not before the new pods are there: what goes may have protected the old ones.
  const removed = options.wait ? await prune(ports, plan.at, plan.surplus, options.timeoutMs) : leave(ports, plan)
  if (options.wait) await publishAccess(ports, plan)
  if (options.wait) await verify(ports, plan, deadline)
  return {
    namespace: plan.at.namespace,
    port: plan.at.port,
    changed: pending.map(changeText),
    removed,
    ready: options.wait,
  }
}

async function untilReady(
  ports: Ports,
  plan: InstallPlan,
  timeoutMs: number,
  hopeless: () => Promise<void>,
): Promise<void> {
  const deadline = ports.clock.now() + timeoutMs
  await ports.report.step('Wait for the registry and a proxy on every node', (note) =>
    waitReady(ports, plan.at, ownGateways(plan), timeoutMs, note, hopeless),
  )
  if (plan.at.nodeGateway === true)
    await ports.report.step("Prove the nodes' gateways", () =>
      proveNodeGateways(ports, plan, Math.min(Math.max(5000, deadline - ports.clock.now()), 30_000)),
    )
}

const changeText = (change: Change): string =>
  `${describeRef(change.ref)} ${change.action === 'create' ? 'created' : 'changed'}`

const ownGateways = ({ at, exposed: { exposures } }: InstallPlan): readonly OwnGateway[] => [
  ...(at.developers === true ? [developerGateway(at)] : []),
  ...(exposures.some(isOnOwnGateway) ? [exposingGateway(at)] : []),
]

async function applyAll(
  ports: Ports,
  plan: InstallPlan,
  wanted: (object: KubeObject) => boolean,
  note: (text: string) => void,
): Promise<void> {
  for (const object of plan.wanted) {
    if (!wanted(object) || isFence(object) || setOf(object) !== undefined) continue
    note(describeRef(refOf(object)))
    await applyOne(ports, object)
    if (object.kind === 'ConfigMap' && object.metadata.name === STATE) await keepHttpSecret(ports.kube, plan.at)
  }
}

async function applyOne({ kube }: Ports, object: KubeObject): Promise<void> {
  try {
    await kube.apply(object, { force: true })
  } catch (error) {
    if (!(error instanceof RegctlError)) throw error
    throw clusterError('APPLY_FAILED', `${describeRef(refOf(object))} could not be applied: ${error.message}`, {
      suggestions: [
        ...error.suggestions,
        'regctl up, which goes on from here once the cause is gone',
        'regctl down, which takes back what was applied',
      ],
      cause: error,
    })
  }
}

async function settle({ kube }: Ports, plan: InstallPlan): Promise<void> {
  await settlePolicies(kube, plan.at)
  // Also what a revoke left that was interrupted.
  const issuers = [...plan.exposed.issuers.keys(), ...plan.exposed.external.map(({ issuer }) => issuer)]
  if (issuers.length > 0) await settleExternal(kube, plan.at, issuers, { opening: true })
  const addresses = await registryAddresses(kube, plan.at)
  await changeTenants(kube, plan.at, (state) =>
    state.tenants.length === 0 || isDeepStrictEqual(state.addresses, addresses) ? undefined : { ...state, addresses },
  )
  await settleTenants(kube, plan.at)
}

/** By the list of open ports as it is now, not as it was when the plan was made. */
async function settlePorts({ kube, report }: Ports, { at, settings, mesh }: InstallPlan): Promise<void> {
  const sets = await readSets(kube, at)
  if (sets.length === 0) return
  await report.step('Apply the gateways of open ports', async (note) => {
    for (const { name } of sets) {
      note(name)
      await settleSet(kube, at, name, makingOf(mesh, settings.revision))
    }
  })
}

function leave({ report }: Ports, { surplus }: InstallPlan): readonly string[] {
  const left = surplus.map((object) => describeRef(refOf(object))).join(', ')
  if (left !== '') report.warn(`Left until a later up waits for the new pods: ${left}`)
  return []
}

async function verify(ports: Ports, plan: InstallPlan, deadline: number): Promise<void> {
  const { report, clock } = ports
  const left = () => Math.max(5000, deadline - clock.now())
  await report.step('Check that every Envoy took our filters', () => keepAcceptedFilters(ports, plan))
  await report.step("Prove the policies in the registry's proxy", async () => {
    const proven = await prove(
      ports,
      plan.at,
      async () => {
        const [grants, exposures, tenants] = await Promise.all([
          readGrants(ports.kube, plan.at),
          readExposures(ports.kube, plan.at),
          readTenants(ports.kube, plan.at),
        ])
        return [
          ...expectations(plan.at, plan.mesh.trustDomain, grants, exposures),
          ...privateExpectations(plan.at, plan.mesh.trustDomain, tenants, { grants, exposures }),
        ]
      },
      Math.min(left(), 30_000),
    )
    if (proven === 0) throw clusterError('NO_REGISTRY', 'the registry has no ready pod to prove the policies in')
  })
  if (plan.at.developers === true)
    await report.step("Prove the developers' gateway", () => proveIngress(ports, plan, Math.min(left(), 30_000)))
  await report.step('Pull and try to push through a node proxy', async (note) => note(await selfTest(ports, plan.at)))
}
