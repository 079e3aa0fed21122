import { isDeepStrictEqual } from 'node:util'
import { exposeNamespace } from '../../domain/installation.ts'
import { describeRef, refOf } from '../../domain/kube-object.ts'
import { type Exposure, exposeCommand, isOnOwnGateway } from '../../domain/policy/exposure.ts'
import { isReady } from '../../domain/ready-pods.ts'
import { answeredNames, EXPOSE_POD_PORT } from '../../domain/stack/exposure.ts'
import { principalsOfPods } from '../../domain/stack/foreign-gateway.ts'
import { exposingGateway } from '../../domain/stack/gateway-admission.ts'
import { injectedInto } from '../../domain/stack/gateway-workload.ts'
import type { ProxyTemplate } from '../../domain/stack/mesh-facts.ts'
import type { Ports } from '../../ports.ts'
import { foreignToOwn, gatewayFaults } from '../cluster/gateway.ts'
import type { Installed } from '../cluster/installed.ts'
import { gatewayPods } from '../cluster/proxy.ts'
import { certificateIn } from '../expose/certificate.ts'
import { exposingAddresses } from '../expose/expose.ts'
import { homesOf, podsBehind } from '../expose/foreign-gateway.ts'
import type { Problems } from './problems.ts'

export type ExposureState = Exposure & {
  /** Where our gateway answers; empty for a gateway of somebody else's. */
  readonly addresses: readonly string[]
}

/** What is exposed, and what is wrong with it. */
export async function exposureStates(
  ports: Ports,
  installed: Installed,
  exposures: readonly Exposure[],
  template: ProxyTemplate | undefined,
  problems: Problems,
): Promise<readonly ExposureState[]> {
  if (exposures.some(isOnOwnGateway)) await gatewayProblems(ports, installed, exposures, template, problems)
  for (const exposure of exposures)
    await (isOnOwnGateway(exposure)
      ? certificateProblems(ports, exposure, exposeNamespace(installed.at), problems)
      : sharedProblems(ports, exposure, problems))
  const addresses = exposures.some(isOnOwnGateway)
    ? ((await problems.asked(() => exposingAddresses(ports, { at: installed.at, type: undefined }))) ?? [])
    : []
  return exposures.map((exposure) => ({ ...exposure, addresses: isOnOwnGateway(exposure) ? addresses : [] }))
}

async function gatewayProblems(
  ports: Ports,
  { at }: Installed,
  exposures: readonly Exposure[],
  template: ProxyTemplate | undefined,
  problems: Problems,
): Promise<void> {
  const own = exposingGateway(at)
  const pods = await gatewayPods(ports, own)
  if (!pods.some(isReady)) problems.say('the exposing gateway has no ready pod', 'regctl up')
  for (const gateway of (await foreignToOwn(ports, own)).attached) {
    const { name, namespace } = gateway.metadata
    problems.say(
      `${describeRef(refOf(gateway))} attaches to the exposing gateway: it can read all that is exposed and take what its clients send`,
      `kubectl delete gateways.networking.istio.io -n ${namespace} ${name}`,
    )
  }
  for (const fault of await gatewayFaults(ports, own, EXPOSE_POD_PORT, answeredNames(at, exposures)))
    problems.say(`the exposing gateway: ${fault}`, 'kubectl get gateways.networking.istio.io -A')
  const ref = { apiVersion: 'apps/v1', kind: 'Deployment', namespace: own.namespace, name: own.name }
  const deployment = await ports.kube.get(ref)
  const injected = deployment === undefined ? undefined : injectedInto(deployment)
  if (template !== undefined && injected !== undefined && injected !== template.container.image)
    problems.say(
      `Istio has moved on: it injects ${template.container.image}, the exposing gateway was made with ${injected}`,
      'regctl up',
    )
}

/** By a gateway of somebody else's: whose pods are let in was looked up when it was exposed. */
async function sharedProblems(ports: Ports, exposure: Exposure, problems: Problems): Promise<void> {
  const { host, gateway = '', principals } = exposure
  const [namespace = '', name = ''] = gateway.split('/')
  const found = await ports.kube.get({ apiVersion: 'networking.istio.io/v1', kind: 'Gateway', namespace, name })
  if (found === undefined) {
    problems.say(`Gateway ${gateway}, by which ${host} is exposed, is gone`, `regctl unexpose ${host}`)
    return
  }
  const pods = await podsBehind(ports.kube, found)
  const now = principalsOfPods(pods)
  if (!isDeepStrictEqual(now, principals))
    problems.say(
      `the pods of Gateway ${gateway} are ${now.join(', ') || 'gone'}, and ${principals.join(', ')} may read what ${host} exposes`,
      exposeCommand(exposure),
    )
  for (const home of homesOf(pods)) await certificateProblems(ports, exposure, home, problems)
}

/** Within this time of its end a certificate should have been renewed. */
const SOON_MS = 3 * 24 * 3600 * 1000

async function certificateProblems(ports: Ports, exposure: Exposure, home: string, problems: Problems): Promise<void> {
  const { host, secret } = exposure
  if (secret === undefined) return
  const where = `Secret ${home}/${secret}`
  const renew = `${exposeCommand({ ...exposure, secret: 'ANOTHER' })}, or renew the certificate in ${where}`
  const found = await problems.asked(async () => (await certificateIn(ports, home, secret, host)) ?? null)
  if (found === undefined) return
  if (found === null) problems.say(`${where}, the certificate of ${host}, is gone`, renew)
  else if ('fault' in found) problems.say(`${where} is no use for ${host}: ${found.fault}`, renew)
  else if (found.validTo.getTime() - ports.clock.now() < SOON_MS)
    problems.say(`the certificate of ${host} in ${where} ends on ${found.validTo.toISOString()}`, renew)
}
