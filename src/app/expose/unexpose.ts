import { type Installation, servingPorts } from '../../domain/installation.ts'
import { expectations } from '../../domain/policy/expectation.ts'
import { type Exposure, exposureName } from '../../domain/policy/exposure.ts'
import { narrowedExpectations } from '../../domain/policy/exposure-expectation.ts'
import type { Ports } from '../../ports.ts'
import { requireInstalled } from '../cluster/installed.ts'
import { meshFacts } from '../cluster/mesh.ts'
import { readGrants } from '../grant/grants.ts'
import { prove } from '../grant/prove.ts'
import { settlePolicies } from '../policies/settle.ts'
import { readExposures } from './exposures.ts'
import { followExposures, type Given, withExposures } from './follow.ts'

export type UnexposeResult = {
  readonly unexposed: Exposure | null
  readonly removed: readonly string[]
  readonly provenIn: number
}

/** Takes an exposure back, and returns when every Ready registry proxy refuses; the last one takes the gateway along. */
export async function unexpose(
  ports: Ports,
  namespace: string,
  host: string,
  options: { readonly timeoutMs: number },
): Promise<UnexposeResult> {
  const { kube, report } = ports
  const installed = await requireInstalled(kube, namespace)
  const { at } = installed
  const before = (await readExposures(kube, at)).find((one) => one.host === host)
  const mesh = await meshFacts(ports, namespace, installed.settings)
  await report.step('Remove the policies', async () => {
    await removePolicy(ports, at.namespace, host)
    await settlePolicies(kube, at)
  })
  const removed = await report.step('Remove what served it', (note) =>
    followExposures(ports, { ...installed, mesh }, options.timeoutMs, note),
  )
  if (before === undefined) return { unexposed: null, removed, provenIn: 0 }
  const wanted = async () => {
    const [grants, now] = await Promise.all([readGrants(kube, at), readExposures(kube, at)])
    return [
      ...expectations(at, mesh.trustDomain, grants, now),
      ...narrowedExpectations(at, mesh.trustDomain, before, now),
    ]
  }
  const left = withExposures(installed, await readExposures(kube, at))
  if (before.way === 'istio' && servingPorts(left).length === 1) await warnDevelopers(ports, at)
  const provenIn = await report.step("Prove the refusal in the registry's proxy", () =>
    prove(
      ports,
      left,
      async () => (await wanted()).filter(({ request }) => request.port === at.port),
      options.timeoutMs,
    ),
  )
  return { unexposed: before, removed, provenIn }
}

async function warnDevelopers({ kube, report }: Ports, at: Installation): Promise<void> {
  const names = (await readGrants(kube, at)).flatMap(({ developer }) => developer ?? [])
  if (names.length === 0) return
  report.warn(`The grants of ${[...new Set(names)].join(', ')} lead nowhere any more; regctl revoke ends them`)
}

const removePolicy = ({ kube }: Ports, namespace: string, host: string): Promise<boolean> =>
  kube.remove({
    apiVersion: 'security.istio.io/v1',
    kind: 'AuthorizationPolicy',
    namespace,
    name: exposureName(host),
  })

/** Undoes an exposure that was just made. */
export async function takeBack(ports: Ports, given: Given, host: string): Promise<void> {
  await removePolicy(ports, given.at.namespace, host)
  await settlePolicies(ports.kube, given.at)
  await followExposures(ports, given, 60_000, () => {})
}
