import { isDeepStrictEqual } from 'node:util'
import { exposeNamespace } from '../../domain/installation.ts'
import { expectations } from '../../domain/policy/expectation.ts'
import { type Exposure, exposePrincipal, exposurePolicy, isOnOwnGateway } from '../../domain/policy/exposure.ts'
import { narrowedExpectations } from '../../domain/policy/exposure-expectation.ts'
import type { IngressType } from '../../domain/settings.ts'
import { answeredNames, EXPOSE_POD_PORT, EXPOSE_PORT } from '../../domain/stack/exposure.ts'
import { exposingGateway } from '../../domain/stack/gateway-admission.ts'
import { clusterError, RegctlError, usageError } from '../../errors.ts'
import type { ExposePorts, Ports } from '../../ports.ts'
import { gatewayFaults } from '../cluster/gateway.ts'
import { gatewayAddresses } from '../cluster/gateway-addresses.ts'
import { type Installed, requireInstalled } from '../cluster/installed.ts'
import { meshFacts } from '../cluster/mesh.ts'
import { liveObjects } from '../cluster/ownership.ts'
import { readGrants } from '../grant/grants.ts'
import { prove } from '../grant/prove.ts'
import { gatewayProgress, waitFor } from '../install/rollout.ts'
import { settlePolicies } from '../policies/settle.ts'
import { checkPrivate } from '../tenant/guard.ts'
import { untilAnswering } from './answer.ts'
import { requireCertificate } from './certificate.ts'
import { checkGateways, checkHost, checkHostPort } from './clash.ts'
import { exposedBy, readExposures } from './exposures.ts'
import { exposureObjects, followExposures, type Given, withExposures } from './follow.ts'
import { sharedExposure } from './foreign-gateway.ts'
import { takeBack } from './unexpose.ts'

/** What `regctl expose` was asked for. */
export type Asked = {
  readonly host: string
  readonly repositories: readonly string[]
  /** Name of a Secret, or `istio`. Absent to keep what the exposure has. */
  readonly tls?: string
  /** `NAMESPACE/NAME` of somebody else's Gateway. */
  readonly gateway?: string
  readonly type?: IngressType
}

export type ExposePlan = Given & {
  readonly wanted: Exposure
  readonly before?: Exposure
  /** Our gateway is to be reached by another type of Service than now. */
  readonly moves: boolean
  readonly trustDomain: string
}

export type ExposeResult = {
  readonly exposure: Exposure
  readonly changed: boolean
  /** Where our gateway answers, `HOST:PORT`. */
  readonly addresses: readonly string[]
  /** Registry proxies it was proven in; 0 when none is ready. */
  readonly provenIn: number
}

/** Everything that could be wrong is found before anything is written. */
export async function planExposure(ports: Ports, namespace: string, asked: Asked): Promise<ExposePlan> {
  const { kube } = ports
  const installed = await requireInstalled(kube, namespace)
  const exposures = await readExposures(kube, installed.at)
  const before = exposures.find(({ host }) => host === asked.host)
  const wanted = await wantedExposure(ports, installed, asked, before)
  const named = wanted.repositories.filter((one) => before?.repositories.includes(one) !== true)
  await checkPrivate(kube, installed.at, named)
  await checkHost(ports, installed.at, wanted)
  const reached = await exposedBy(kube, installed.at)
  const { type = reached } = asked
  if (isOnOwnGateway(wanted)) {
    await checkGateways(ports, installed.at)
    if (type === 'HostPort') await checkHostPort(ports, installed.at)
  }
  const mesh = await meshFacts(ports, namespace, installed.settings)
  const given = { ...installed, mesh, ...(asked.type === undefined ? {} : { type: asked.type }) }
  const others = exposures.filter(({ host }) => host !== asked.host)
  await liveObjects(kube, installed.at, await exposureObjects(ports, given, [...others, wanted]))
  const moves = isOnOwnGateway(wanted) && type !== reached
  return { ...given, wanted, moves, trustDomain: mesh.trustDomain, ...(before === undefined ? {} : { before }) }
}

/** What is asked for, with the way it has where none is named; its gateway and certificate are there. */
async function wantedExposure(
  ports: Ports,
  { at }: Installed,
  asked: Asked,
  before: Exposure | undefined,
): Promise<Exposure> {
  const { host, tls } = asked
  const repositories = [...new Set(asked.repositories)].sort()
  const keeps = tls === undefined && asked.gateway === undefined
  if (tls === MESH || (keeps && before?.way === 'istio')) return meshExposure(asked)
  const gateway = keeps ? before?.gateway : asked.gateway
  const secret = keeps ? before?.secret : tls
  const named = secret === undefined ? {} : { secret }
  if (gateway !== undefined) {
    const found = await sharedExposure(ports, at, { host, gateway, ...named })
    return { host, repositories, way: 'shared', gateway, ...named, ...found }
  }
  if (secret === undefined)
    throw usageError('NO_TLS', `host "${host}" needs a certificate`, {
      suggestions: [`regctl expose ${host} --tls SECRET, the name of a Secret in namespace ${exposeNamespace(at)}`],
    })
  await requireCertificate(ports, at, exposeNamespace(at), secret, host)
  return { host, repositories, way: 'secret', secret, principals: [exposePrincipal(at)] }
}

/** What `--tls` calls the mesh's own certificates. */
const MESH = 'istio'

/** Clients come with an identity of their own, so what they may is said by their grants. */
function meshExposure({ host, repositories, gateway }: Asked): Exposure {
  const refuse = (why: string, suggestion: string): never => {
    throw usageError('NOT_BY_ISTIO', `with --tls istio ${why}`, { suggestions: [suggestion] })
  }
  if (gateway !== undefined) refuse('the gateway ends no TLS, and a shared one could', 'leave --gateway out')
  if (repositories.length > 0)
    refuse(
      "clients have what they are granted, not a list of the host's",
      'regctl grant NAMESPACE REPOSITORY --developer user:NAME',
    )
  return { host, repositories: [], way: 'istio', principals: [] }
}

/** Is it something to agree to first? */
export const needsConsent = ({ wanted, before }: ExposePlan): boolean =>
  wanted.way === 'shared' && !isDeepStrictEqual(wanted, before)

/**
 * Exposes, and returns when every Ready registry proxy follows and the gateway answers to the name. A new exposure that
 * cannot be proven is taken back.
 */
export async function expose(
  ports: ExposePorts,
  plan: ExposePlan,
  options: { readonly timeoutMs: number },
): Promise<ExposeResult> {
  const { kube, report, clock } = ports
  const { wanted, before } = plan
  const deadline = clock.now() + options.timeoutMs
  const left = () => Math.max(5000, deadline - clock.now())
  const undo = async (error: unknown): Promise<never> => {
    if (before !== undefined || !(error instanceof RegctlError)) throw error
    await takeBack(ports, plan, wanted.host)
    throw clusterError(error.code, `${error.message}; the exposure was taken back`, {
      suggestions: error.suggestions,
      cause: error,
    })
  }
  await report.step('Apply the policies', async () => {
    await kube.apply(exposurePolicy(plan.at, wanted), { force: true })
    await settlePolicies(kube, plan.at).catch(undo)
  })
  const changes = await report.step('Apply the gateway', (note) =>
    followExposures(ports, plan, options.timeoutMs, note).catch(undo),
  )
  const provenIn = await report.step("Prove them in the registry's proxy", () =>
    proven(ports, plan, left()).catch(undo),
  )
  if (isOnOwnGateway(wanted)) await proveGateway(ports, plan, left)
  const addresses = isOnOwnGateway(wanted) ? await exposingAddresses(ports, plan) : []
  await untilAnswering(ports, addresses)
  return {
    exposure: wanted,
    changed: plan.moves || !isDeepStrictEqual(wanted, before) || changes.length > 0,
    addresses,
    provenIn,
  }
}

async function proven(ports: Ports, { at, trustDomain, before, ...plan }: ExposePlan, timeoutMs: number) {
  const { kube } = ports
  const exposures = await readExposures(kube, at)
  const wanted = async () => {
    const [grants, now] = await Promise.all([readGrants(kube, at), readExposures(kube, at)])
    return [
      ...expectations(withExposures({ at, ...plan }, exposures), trustDomain, grants, now),
      ...(before === undefined ? [] : narrowedExpectations(at, trustDomain, before, now)),
    ]
  }
  return prove(ports, withExposures({ at, ...plan }, exposures), wanted, timeoutMs)
}

/**
 * Our gateway is ready, answers to the names that are exposed and listens for nothing else.
 * @throws cluster error GATEWAY_NOT_PROVEN
 */
async function proveGateway(ports: Ports, { at }: ExposePlan, left: () => number): Promise<void> {
  const own = exposingGateway(at)
  await ports.report.step('Wait for the gateway', (note) =>
    waitFor(ports, at, [gatewayProgress(own)], left(), note, { again: 'regctl expose --timeout 10m' }),
  )
  await ports.report.step('Prove the gateway', async () => {
    const deadline = ports.clock.now() + Math.min(left(), 30_000)
    for (;;) {
      const names = answeredNames(at, await readExposures(ports.kube, at))
      const faults = await gatewayFaults(ports, own, EXPOSE_POD_PORT, names)
      if (faults.length === 0) return
      if (ports.clock.now() >= deadline)
        throw clusterError('GATEWAY_NOT_PROVEN', `the exposing gateway is not as it should be: ${faults.join('; ')}`, {
          suggestions: ['kubectl get gateways.networking.istio.io -A', 'regctl unexpose HOST, to close it'],
          details: { faults },
        })
      await ports.clock.sleep(500, ports.signal)
    }
  })
}

/** Where our gateway answers. */
export async function exposingAddresses(ports: Ports, { at, type }: Pick<Given, 'at' | 'type'>) {
  return gatewayAddresses(ports, exposingGateway(at), type ?? (await exposedBy(ports.kube, at)), EXPOSE_PORT)
}
