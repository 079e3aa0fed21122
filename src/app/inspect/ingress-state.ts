import { isDeepStrictEqual } from 'node:util'
import { INGRESS, INGRESS_PORT, ingressNamespace } from '../../domain/installation.ts'
import { describeRef, refOf } from '../../domain/kube-object.ts'
import { isReady } from '../../domain/ready-pods.ts'
import { type IngressType, ingressType } from '../../domain/settings.ts'
import { accessOf, accessRef, type DeveloperAccess } from '../../domain/stack/developer-access.ts'
import { passedNames } from '../../domain/stack/developer-ingress.ts'
import { developerGateway } from '../../domain/stack/gateway-admission.ts'
import { injectedInto } from '../../domain/stack/gateway-workload.ts'
import type { ProxyTemplate } from '../../domain/stack/mesh-facts.ts'
import type { Ports } from '../../ports.ts'
import { developerAccess } from '../cluster/developer-access.ts'
import { foreignToOwn, gatewayFaults } from '../cluster/gateway.ts'
import type { Installed } from '../cluster/installed.ts'
import { authorityOf, trustDomainOf } from '../cluster/mesh.ts'
import { gatewayPods } from '../cluster/proxy.ts'
import { type PodState, podState } from './pod-state.ts'
import type { Problems } from './problems.ts'

export type IngressState = {
  readonly type: IngressType
  /** Where developers are told that it is; where it is, while they are told nothing. */
  readonly addresses: readonly string[]
  /** Of the registry's own proxy, likewise. */
  readonly registryAddresses: readonly string[]
  readonly pods: readonly PodState[]
}

/** The developers' gateway, and what is wrong with it. */
export async function ingressState(
  ports: Ports,
  installed: Installed,
  template: ProxyTemplate | undefined,
  problems: Problems,
): Promise<IngressState> {
  const { at, settings } = installed
  const [pods, published] = await Promise.all([
    gatewayPods(ports, developerGateway(at)),
    publishedAccess(ports, installed),
  ])
  if (!pods.some(isReady)) problems.say("the developers' gateway has no ready pod", 'regctl up')
  for (const gateway of (await foreignToOwn(ports, developerGateway(at))).attached) {
    const { name, namespace } = gateway.metadata
    problems.say(
      `${describeRef(refOf(gateway))} attaches to the developers' gateway and can open any Service by it`,
      `kubectl delete gateways.networking.istio.io -n ${namespace} ${name}`,
    )
  }
  const now = template === undefined ? undefined : await againstMesh(ports, installed, template, published, problems)
  return {
    type: ingressType(settings),
    addresses: (published ?? now)?.addresses ?? [],
    registryAddresses: (published ?? now)?.registryAddresses ?? [],
    pods: pods.map((pod) => podState(pod, 'istio-proxy')),
  }
}

async function againstMesh(
  ports: Ports,
  { at, settings }: Installed,
  template: ProxyTemplate,
  published: DeveloperAccess | undefined,
  problems: Problems,
): Promise<DeveloperAccess | undefined> {
  const authority = authorityOf(template)
  for (const fault of await gatewayFaults(ports, developerGateway(at), INGRESS_PORT, passedNames(at, authority)))
    problems.say(`the developers' gateway: ${fault}`, 'kubectl get gateways.networking.istio.io -A')
  const mesh = { proxy: template, authority, trustDomain: trustDomainOf(template) }
  const now = await problems.asked(() => developerAccess(ports, at, settings, mesh))
  if (now !== undefined && !isDeepStrictEqual(now, published))
    problems.say('developers are told what is no longer so of their gateway', 'regctl up')
  const ref = { apiVersion: 'apps/v1', kind: 'Deployment', namespace: ingressNamespace(at), name: INGRESS }
  const deployment = await ports.kube.get(ref)
  const injected = deployment === undefined ? undefined : injectedInto(deployment)
  if (deployment === undefined) problems.say("the developers' gateway is not installed", 'regctl up')
  else if (injected !== template.container.image)
    problems.say(
      `Istio has moved on: it injects ${template.container.image}, the developers' gateway was made with ${injected}`,
      'regctl up',
    )
  return now
}

async function publishedAccess({ kube }: Ports, { at }: Installed): Promise<DeveloperAccess | undefined> {
  const found = await kube.get(accessRef(at))
  return found === undefined ? undefined : accessOf(found)
}
