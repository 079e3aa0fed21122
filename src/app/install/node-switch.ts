import { NODE_PROXY, nodeNamespace } from '../../domain/installation.ts'
import type { Change } from '../../domain/plan.ts'
import { isReady } from '../../domain/ready-pods.ts'
import type { NodeProxy } from '../../domain/settings.ts'
import { lacksIpv6 } from '../../domain/stack/envoy-filter.ts'
import { nodeProxyOf } from '../../domain/stack/node-proxy.ts'
import { STATE } from '../../domain/stack/stack.ts'
import { clusterError, RegctlError } from '../../errors.ts'
import type { Ports } from '../../ports.ts'
import { nodeProxyPods, proxyConfig } from '../cluster/proxy.ts'
import { restore } from './filter-rollback.ts'
import type { InstallPlan } from './install-plan.ts'
import { waitReady } from './rollout.ts'

/** The nodes pulled before, so they shall afterwards: time for one more round over them. */
const BACK_MS = 120_000

/**
 * Where the node proxy turns into the other kind and does not get there, it turns back, and a later `up` knows of the
 * kind that serves. What the old kind needs is there still: it goes only after the new one is proven.
 * @throws cluster error NOT_SWITCHED
 */
export async function orAsBefore(
  ports: Ports,
  plan: InstallPlan,
  run: (hopeless: () => Promise<void>) => Promise<void>,
): Promise<void> {
  const turn = turnOf(plan)
  if (turn === undefined) return run(async () => {})
  try {
    // A node is without pulls all the while, and what Envoy refused it refuses for ever.
    await run(async () => {
      if ((await refusals(ports, plan)).length > 0)
        throw clusterError('PROXY_REFUSES', 'a new proxy does not take its configuration', {
          suggestions: ['kubectl get envoyfilters -A', 'regctl doctor'],
        })
    })
  } catch (error) {
    if (!(error instanceof RegctlError) || ports.signal.aborted) throw error
    const refused = await refusals(ports, plan)
    const back = await ports.report.step(`Go back to the ${turn.from}`, (note) => goBack(ports, plan, turn, note))
    const why = [error.message, ...refused].join('; ')
    throw clusterError('NOT_SWITCHED', `the node proxy did not become a ${turn.to}: ${why}; ${back}`, {
      suggestions: error.suggestions.filter((one) => !one.startsWith('regctl up --timeout')),
      details: { refused },
      cause: error,
    })
  }
}

type Turn = { readonly from: NodeProxy; readonly to: NodeProxy; readonly daemonSet: Change }

function turnOf({ changes }: InstallPlan): Turn | undefined {
  const daemonSet = changes.find(({ ref }) => ref.kind === 'DaemonSet' && ref.name === NODE_PROXY)
  if (daemonSet?.before === undefined || daemonSet.after === undefined) return undefined
  const [from, to] = [nodeProxyOf(daemonSet.before), nodeProxyOf(daemonSet.after)]
  return from === to ? undefined : { from, to, daemonSet }
}

/** Envoy's own words for what a new proxy did not take; nobody else tells them. */
async function refusals(ports: Ports, { at }: InstallPlan): Promise<readonly string[]> {
  // One that serves may be of the old kind still.
  const pods = (await nodeProxyPods(ports, at)).filter((pod) => !isReady(pod))
  const found = await Promise.all(
    pods.map(async (pod) => {
      try {
        const { rejected } = await proxyConfig(ports, pod, at.port)
        return rejected
          .filter((one) => !lacksIpv6(one))
          .map(({ listener, details }) => `node ${pod.spec?.nodeName} refused listener ${listener}: ${details}`)
      } catch (error) {
        if (!(error instanceof RegctlError)) throw error
        return []
      }
    }),
  )
  return found.flat()
}

async function goBack(
  ports: Ports,
  { at, changes }: InstallPlan,
  { from, daemonSet }: Turn,
  note: (text: string) => void,
): Promise<string> {
  const state = changes.find(({ ref }) => ref.kind === 'ConfigMap' && ref.name === STATE)
  if (state?.before !== undefined) await restore(ports, state)
  await restore(ports, daemonSet)
  try {
    await waitReady(ports, at, [], BACK_MS, note)
  } catch (error) {
    if (!(error instanceof RegctlError)) throw error
    return `every node is to have its ${from} again, but ${error.message}`
  }
  for (const change of changes.filter((one) => isOfTurn(one, nodeNamespace(at)))) await restore(ports, change)
  return `every node has its ${from} again`
}

/** What this plan made for the new kind alone. */
const isOfTurn = ({ ref, action }: Change, namespace: string): boolean =>
  action === 'create' && (ref.namespace === namespace || ref.name.startsWith('regctl-node-gateways-'))
