import { exposeNamespace } from '../../domain/installation.ts'
import { describeRef, refOf } from '../../domain/kube-object.ts'
import { type Exposure, isOnOwnGateway } from '../../domain/policy/exposure.ts'
import { isReady } from '../../domain/ready-pods.ts'
import { answeredNames, EXPOSE_POD_PORT } from '../../domain/stack/exposure.ts'
import { exposingGateway } from '../../domain/stack/gateway-admission.ts'
import { INJECTED } from '../../domain/stack/gateway-workload.ts'
import type { ProxyTemplate } from '../../domain/stack/mesh-facts.ts'
import type { Ports } from '../../ports.ts'
import { foreignGateways, gatewayFaults } from '../cluster/gateway.ts'
import type { Installed } from '../cluster/installed.ts'
import { gatewayPods } from '../cluster/proxy.ts'
import { certificateIn } from '../expose/certificate.ts'
import { exposingAddresses } from '../expose/expose.ts'
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
  for (const exposure of exposures) await certificateProblems(ports, installed, exposure, problems)
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
  for (const gateway of (await foreignGateways(ports, own)).attached) {
    const { name, namespace } = gateway.metadata
    problems.say(
      `${describeRef(refOf(gateway))} attaches to the exposing gateway: it can read all that is exposed and take what its clients send`,
      `kubectl delete gateways.networking.istio.io -n ${namespace} ${name}`,
    )
  }
  for (const fault of await gatewayFaults(ports, own, EXPOSE_POD_PORT, answeredNames(at, exposures)))
    problems.say(`the exposing gateway: ${fault}`, 'kubectl get gateways.networking.istio.io -A')
  const injected = pods.find(isReady)?.metadata?.annotations?.[INJECTED]
  if (template !== undefined && injected !== undefined && injected !== template.container.image)
    problems.say(
      `Istio has moved on: it injects ${template.container.image}, the exposing gateway was made with ${injected}`,
      'regctl up',
    )
}

/** Within this time of its end a certificate should have been renewed. */
const SOON_MS = 3 * 24 * 3600 * 1000

async function certificateProblems(
  ports: Ports,
  { at }: Installed,
  { host, secret }: Exposure,
  problems: Problems,
): Promise<void> {
  if (secret === undefined) return
  const where = `Secret ${exposeNamespace(at)}/${secret}`
  const renew = `regctl expose ${host} --tls ANOTHER, or renew the certificate in ${where}`
  const found = await problems.asked(
    async () => (await certificateIn(ports, exposeNamespace(at), secret, host)) ?? null,
  )
  if (found === undefined) return
  if (found === null) problems.say(`${where}, the certificate of ${host}, is gone`, renew)
  else if ('fault' in found) problems.say(`${where} is no use for ${host}: ${found.fault}`, renew)
  else if (found.validTo.getTime() - ports.clock.now() < SOON_MS)
    problems.say(`the certificate of ${host} in ${where} ends on ${found.validTo.toISOString()}`, renew)
}
