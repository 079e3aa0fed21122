import type { V1Pod } from '@kubernetes/client-node'
import { describeRef, refOf } from '../../domain/kube-object.ts'
import type { Change } from '../../domain/plan.ts'
import { isReady } from '../../domain/ready-pods.ts'
import { lacksIpv6 } from '../../domain/stack/envoy-filter.ts'
import { clusterError } from '../../errors.ts'
import type { Ports } from '../../ports.ts'
import { nodeProxyPods, proxyConfig, registryPods } from '../cluster/proxy.ts'
import type { InstallPlan } from './install-plan.ts'

/** Long enough for istiod to push and Envoy to answer. */
const SETTLE_MS = 5000

/**
 * One piece of configuration Envoy refuses freezes its whole listener, policies included. When a proxy refuses
 * while filters of ours have just changed, they go back to what they were.
 * @throws cluster error FILTER_REJECTED with Envoy's words, after the way back
 */
export async function keepAcceptedFilters(ports: Ports, plan: InstallPlan): Promise<void> {
  const changed = plan.changes.filter(
    ({ ref, action }) => ref.kind === 'EnvoyFilter' && (action === 'create' || action === 'update'),
  )
  const rejected = await rejections(ports, plan)
  if (rejected.length === 0) return
  for (const change of changed) await restore(ports, change)
  const names = changed.map(({ ref }) => describeRef(ref)).join(', ')
  const back = `${names} ${changed.length === 1 ? 'was' : 'were'} put back to what ${changed.length === 1 ? 'it was' : 'they were'}`
  const others = 'the cause is not in what regctl changed: look at the EnvoyFilters of others'
  const helped = changed.length > 0 && (await settled(ports, plan)).length === 0
  const blame = helped ? back : changed.length === 0 ? others : `${back}, which did not help; ${others}, then regctl up`
  throw clusterError('FILTER_REJECTED', `a proxy refused its configuration: ${rejected[0]}; ${blame}`, {
    suggestions: ['regctl doctor', 'kubectl get envoyfilters -A'],
    details: { rejected },
  })
}

async function rejections(ports: Ports, { at }: InstallPlan): Promise<readonly string[]> {
  return rejectionsOf(ports, [...(await registryPods(ports, at)), ...(await nodeProxyPods(ports, at))], at.port)
}

/** What Ready proxies refused, but for what a node cannot have. */
export async function rejectionsOf(ports: Ports, all: readonly V1Pod[], port: number): Promise<readonly string[]> {
  const pods = all.filter(isReady)
  const configs = await Promise.all(pods.map((pod) => proxyConfig(ports, pod, port)))
  return configs.flatMap(({ rejected }, index) =>
    rejected
      .filter((one) => !lacksIpv6(one))
      .map(({ listener, details }) => `pod ${pods[index]?.metadata?.name}, listener ${listener}: ${details}`),
  )
}

async function settled(ports: Ports, plan: InstallPlan): Promise<readonly string[]> {
  const deadline = ports.clock.now() + SETTLE_MS
  for (;;) {
    const left = await rejections(ports, plan)
    if (left.length === 0 || ports.clock.now() > deadline) return left
    await ports.clock.sleep(500, ports.signal)
  }
}

/** Makes an object again what it was before the plan, or not at all. */
export async function restore({ kube }: Ports, { ref, before }: Change): Promise<void> {
  if (before === undefined) await kube.remove(ref)
  else await kube.apply({ ...before, metadata: { ...before.metadata, name: refOf(before).name } }, { force: true })
}
