import type { V1Node, V1Pod } from '@kubernetes/client-node'
import type { ActiveConfig } from '../../domain/envoy/active-config.ts'
import type { ExternalGrant } from '../../domain/external/grant.ts'
import { NODE_PROXY, nodeNamespace, REGISTRY } from '../../domain/installation.ts'
import type { KubeObject } from '../../domain/kube-object.ts'
import { expectations, outlivedExpectations } from '../../domain/policy/expectation.ts'
import type { Exposure } from '../../domain/policy/exposure.ts'
import { FENCE, outlived } from '../../domain/policy/fence.ts'
import type { Grant } from '../../domain/policy/grant.ts'
import { privateExpectations } from '../../domain/policy/private-expectation.ts'
import { isReady } from '../../domain/ready-pods.ts'
import type { NodeProxy } from '../../domain/settings.ts'
import { lacksIpv6 } from '../../domain/stack/envoy-filter.ts'
import type { ProxyTemplate } from '../../domain/stack/mesh-facts.ts'
import { nodeProxyOf } from '../../domain/stack/node-proxy.ts'
import type { Tenant, Tenants } from '../../domain/tenant/tenants.ts'
import { RegctlError } from '../../errors.ts'
import type { Ports } from '../../ports.ts'
import { type Installed, requireInstalled } from '../cluster/installed.ts'
import { proxyTemplate, trustDomainOf } from '../cluster/mesh.ts'
import { nodeProxyPods, proxyConfig, registryPods } from '../cluster/proxy.ts'
import { readExposures } from '../expose/exposures.ts'
import { readGrants } from '../grant/grants.ts'
import { prove } from '../grant/prove.ts'
import { openPorts, type PortState } from '../open-ports/list.ts'
import { acceptedUses, type Use } from '../tenant/uses.ts'
import { diagnose } from './diagnose.ts'
import { type ExposureState, exposureStates } from './exposure-state.ts'
import { externalState } from './external-state.ts'
import { type IngressState, ingressState } from './ingress-state.ts'
import { nodeGatewayProblems } from './node-gateway-state.ts'
import { type PodState, podState } from './pod-state.ts'
import { type Problem, Problems } from './problems.ts'
import { type StorageUse, storageUse } from './storage-use.ts'
import { tenantState } from './tenant-state.ts'

const POLICY = { apiVersion: 'security.istio.io/v1', kind: 'AuthorizationPolicy' } as const

export type Accepted = Pick<Use, 'kind' | 'object' | 'why' | 'fix'>

export type Status = {
  readonly namespace: string
  readonly port: number
  readonly registry: readonly PodState[]
  /** What Istio's proxy is on the nodes. */
  readonly nodeProxy: NodeProxy
  readonly nodes: readonly { readonly node: string; readonly proxy: PodState | null }[]
  /** The developers' way in; null where it is not installed. */
  readonly developerIngress: IngressState | null
  /** Ports of the nodes that gateways serve, besides the registry's. */
  readonly openPorts: readonly PortState[]
  readonly exposures: readonly ExposureState[]
  readonly grants: readonly Grant[]
  /** Who may push from outside, by a token. */
  readonly external: readonly ExternalGrant[]
  readonly tenants: readonly Tenant[]
  /** What others have in private tenants, because it was there before and `--accept` said it stays. */
  readonly accepted: readonly Accepted[]
  readonly storage: StorageUse
  readonly versions: { readonly kubernetes: string; readonly proxy: string }
  /** What is wrong, each with the command that helps; empty when all is well. */
  readonly problems: readonly Problem[]
}

export async function status(ports: Ports, namespace: string): Promise<Status> {
  const { kube } = ports
  const installed = await requireInstalled(kube, namespace)
  const { at, settings } = installed
  const [pods, proxies, nodes, grants, exposures, version] = await Promise.all([
    registryPods(ports, at),
    nodeProxyPods(ports, at),
    kube.list({ apiVersion: 'v1', kind: 'Node' }) as Promise<readonly unknown[]>,
    readGrants(kube, at),
    readExposures(kube, at),
    kube.version(),
  ])
  const byNode = new Map(proxies.map((pod) => [pod.spec?.nodeName ?? '', pod]))
  const problems = new Problems()
  const template = await problems.asked(() => proxyTemplate(ports, at, settings.revision))
  const tenants = await problems.asked(() => tenantState(ports, at, problems))
  await problemsOf(
    ports,
    at,
    template,
    { grants, exposures, tenants },
    { pods, proxies, nodes: nodes as readonly V1Node[] },
    problems,
  )
  const opened = await problems.asked(() => openPorts(ports, at))
  for (const { what, fix } of opened?.problems ?? []) problems.say(what, fix)
  const external = await externalState(ports, at, exposures, template, problems)
  const ready = pods.find(isReady)
  return {
    namespace,
    port: at.port,
    registry: pods.map((pod) => podState(pod, 'registry')),
    nodeProxy: settings.nodeProxy ?? 'sidecar',
    nodes: (nodes as readonly V1Node[]).map((node) => {
      const name = node.metadata?.name ?? ''
      const pod = byNode.get(name)
      return { node: name, proxy: pod === undefined ? null : podState(pod, 'istio-proxy') }
    }),
    developerIngress: at.developers === true ? await ingressState(ports, installed, template, problems) : null,
    openPorts: opened?.ports ?? [],
    exposures: await exposureStates(ports, installed, exposures, template, problems),
    grants,
    external,
    tenants: tenants?.tenants ?? [],
    accepted: (tenants === undefined ? [] : acceptedUses(tenants, { grants, exposures, external })).map(
      ({ kind, object, why, fix }) => ({ kind, object, why, fix }),
    ),
    storage: await storageUse(ports, at, settings, ready, problems),
    versions: { kubernetes: version.gitVersion, proxy: proxies[0]?.spec?.containers[0]?.image ?? 'none' },
    problems: problems.found,
  }
}

type Seen = { readonly pods: readonly V1Pod[]; readonly proxies: readonly V1Pod[]; readonly nodes: readonly V1Node[] }

type Granted = {
  readonly grants: readonly Grant[]
  readonly exposures: readonly Exposure[]
  readonly tenants: Tenants | undefined
}

async function problemsOf(
  ports: Ports,
  at: Installed['at'],
  template: ProxyTemplate | undefined,
  { grants, exposures, tenants }: Granted,
  seen: Seen,
  problems: Problems,
): Promise<void> {
  const say = problems.say.bind(problems)
  for (const { object, why, fix } of await diagnose(ports, at)) say(`${object}: ${why}`, fix)
  if (!seen.pods.some(isReady)) say('no registry pod is ready', 'regctl up')
  for (const node of seen.nodes) {
    const name = node.metadata?.name ?? ''
    if (!seen.proxies.some((pod) => pod.spec?.nodeName === name && isReady(pod)))
      say(`node ${name} has no ready proxy, so it cannot pull`, `kubectl get pods -n ${nodeNamespace(at)} -o wide`)
  }
  const live = await ports.kube.get({ ...POLICY, namespace: at.namespace, name: FENCE })
  const past = live === undefined ? [] : outlived(at, live, grants, exposures)
  if (template !== undefined && seen.pods.some(isReady)) {
    const domain = trustDomainOf(template)
    const wanted = [
      ...expectations(at, domain, grants, exposures),
      ...outlivedExpectations(at, domain, past),
      ...(tenants === undefined ? [] : privateExpectations(at, domain, tenants, { grants, exposures })),
    ]
    await problems.asked(() => prove(ports, at, async () => wanted, 0))
  }
  for (const pod of seen.proxies) {
    for (const { listener, details } of (await problems.asked(() => nodeRejections(ports, at, pod))) ?? []) {
      const node = pod.spec?.nodeName ?? ''
      const held = details.includes('Address already in use')
      say(
        `the proxy of node ${node} refused an update of listener ${listener}: ${details}`,
        held
          ? `end the process on node ${node} that holds the port, then: kubectl delete pod -n ${nodeNamespace(at)} ${pod.metadata?.name}`
          : 'regctl up',
      )
    }
  }
  await nodeGatewayProblems(ports, at, problems)
  const daemonSet = await ports.kube.get({
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    namespace: nodeNamespace(at),
    name: NODE_PROXY,
  })
  const wanted = at.nodeGateway === true ? 'gateway' : 'sidecar'
  if (daemonSet === undefined) say('the node proxy is not installed', 'regctl up')
  else if (nodeProxyOf(daemonSet) !== wanted)
    say(`the node proxy is to be a ${wanted} and is a ${nodeProxyOf(daemonSet)} still`, 'regctl up')
  else if (template !== undefined && imageOf(daemonSet) !== template.container.image)
    say(
      `Istio has moved on: it injects ${template.container.image}, the node proxy runs ${imageOf(daemonSet)}`,
      'regctl up',
    )
  if (
    (await ports.kube.get({ apiVersion: 'apps/v1', kind: 'Deployment', namespace: at.namespace, name: REGISTRY })) ===
    undefined
  )
    say('the registry is not installed', 'regctl up')
}

/** A proxy that is not ready may be so because of what it refused; where it cannot answer yet, that it is not ready is said already. */
async function nodeRejections(ports: Ports, at: Installed['at'], pod: V1Pod): Promise<ActiveConfig['rejected']> {
  try {
    return (await proxyConfig(ports, pod, at.port)).rejected.filter((one) => !lacksIpv6(one))
  } catch (error) {
    if (isReady(pod) || !(error instanceof RegctlError)) throw error
    return []
  }
}

function imageOf(daemonSet: KubeObject): string | undefined {
  const spec = daemonSet.spec as { template: { spec: { containers: { image?: string }[] } } }
  return spec.template.spec.containers[0]?.image
}
