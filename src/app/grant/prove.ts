import type { V1Pod } from '@kubernetes/client-node'
import { activeConfig, activeTokens } from '../../domain/envoy/active-config.ts'
import { decide, UnknownMatcher } from '../../domain/envoy/rbac.ts'
import { tokenFaults, type WantedIssuer } from '../../domain/external/token-faults.ts'
import { type Installation, servingPorts } from '../../domain/installation.ts'
import type { Expectation } from '../../domain/policy/expectation.ts'
import { isReady } from '../../domain/ready-pods.ts'
import { clusterError, RegctlError } from '../../errors.ts'
import type { Ports } from '../../ports.ts'
import { listenersOf, registryPods } from '../cluster/proxy.ts'

/**
 * Waits until every Ready registry proxy decides as expected, by the policies it has in force and with no update
 * rejected. What is expected is asked anew each time, because others grant and revoke meanwhile. No Ready proxy means nobody is served, so there is nothing to prove.
 * @throws cluster error NOT_PROVEN with what differs and Envoy's own words where it refused an update
 */
export async function prove(
  ports: Ports,
  at: Installation,
  wanted: () => Promise<readonly Expectation[]>,
  timeoutMs: number,
  issuers: () => Promise<readonly WantedIssuer[]> = async () => [],
): Promise<number> {
  const deadline = ports.clock.now() + timeoutMs
  for (;;) {
    const pods = (await registryPods(ports, at)).filter(isReady)
    const [expected, tokens] = [await wanted(), await issuers()]
    const faults = (await Promise.all(pods.map((pod) => faultsOf(ports, at, pod, expected, tokens)))).flat()
    if (faults.length === 0) return pods.length
    if (ports.clock.now() >= deadline) {
      throw clusterError(
        'NOT_PROVEN',
        `the registry's proxy does not follow the policies after ${Math.round(timeoutMs / 1000)} s: ${faults.slice(0, 3).join('; ')}`,
        {
          suggestions: ['regctl doctor', `kubectl get envoyfilters,authorizationpolicies -n ${at.namespace}`],
          details: { faults },
        },
      )
    }
    await ports.clock.sleep(500, ports.signal)
  }
}

async function faultsOf(
  ports: Ports,
  at: Installation,
  pod: V1Pod,
  wanted: readonly Expectation[],
  issuers: readonly WantedIssuer[],
): Promise<readonly string[]> {
  const name = pod.metadata?.name ?? ''
  try {
    const dump = await listenersOf(ports, pod)
    const rejected = activeConfig(dump, at.port).rejected.map(
      ({ listener, details }) => `pod ${name} refused an update of listener ${listener}: ${details}`,
    )
    const unchecked = activeTokens(dump, at.port).flatMap((providers) => tokenFaults(providers, issuers))
    return [
      ...rejected,
      ...unchecked.map((fault) => `pod ${name}: ${fault}`),
      ...servingPorts(at).flatMap((port) => portFaults(dump, port, name, wanted)),
    ]
  } catch (error) {
    if (error instanceof UnknownMatcher || error instanceof RegctlError) return [`pod ${name}: ${error.message}`]
    throw error
  }
}

function portFaults(dump: string, port: number, pod: string, wanted: readonly Expectation[]): readonly string[] {
  const { chains } = activeConfig(dump, port)
  if (chains.length === 0) return [`pod ${pod} serves no listener for port ${port}`]
  const here = wanted.filter(({ request }) => request.port === port)
  return chains.flatMap((filters) => here.flatMap((one) => faultOf(filters, one)))
}

function faultOf(filters: Parameters<typeof decide>[0], { request, allowed, why }: Expectation): readonly string[] {
  const decision = decide(filters, request)
  if (decision.allowed === allowed) return []
  const by = decision.policy === undefined ? '' : ` by ${decision.policy}`
  return [`${why}, but ${request.method} ${request.path} is ${decision.allowed ? 'allowed' : 'refused'}${by}`]
}
