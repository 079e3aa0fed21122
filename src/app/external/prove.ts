import { externalExpectations, revokedExternalExpectations } from '../../domain/external/expectation.ts'
import type { ExternalGrant } from '../../domain/external/grant.ts'
import { exposeNamespace, type Installation } from '../../domain/installation.ts'
import { tokenHosts } from '../../domain/policy/exposure.ts'
import { answeredNames, EXPOSE_POD_PORT } from '../../domain/stack/exposure.ts'
import { exposingGateway } from '../../domain/stack/gateway-admission.ts'
import { clusterError } from '../../errors.ts'
import type { Ports } from '../../ports.ts'
import { gatewayFaults } from '../cluster/gateway.ts'
import { readExposures } from '../expose/exposures.ts'
import { prove } from '../grant/prove.ts'
import { entranceIn } from './entrance.ts'
import { readExternalGrants, readIssuers, wantedIssuers } from './grants.ts'

/** What is asked about; nobody else's grants change what these subjects may, and no other issuer's keys are waited for. */
export type About = {
  readonly subjects: readonly string[]
  readonly issuers: readonly string[]
  readonly revoked?: readonly ExternalGrant[]
}

/** Waits until every Ready registry proxy gives tokens what the grants give now, and nothing that was revoked. */
export async function proveExternal(
  ports: Ports,
  at: Installation,
  trustDomain: string,
  { subjects, issuers: known, revoked = [] }: About,
  timeoutMs: number,
): Promise<number> {
  const { kube } = ports
  const wanted = async () => {
    const entrance = entranceIn(at, await readExposures(kube, at))
    const now = (await readExternalGrants(kube, at)).filter(({ subject }) => subjects.includes(subject))
    // Without a way in the gateway is a stranger like any other.
    if (entrance === undefined) return []
    return [
      ...externalExpectations(at, trustDomain, entrance, now),
      ...revoked.flatMap((one) => revokedExternalExpectations(at, trustDomain, entrance, one, now)),
    ]
  }
  const issuers = async () => {
    const grants = (await readExternalGrants(kube, at)).filter(({ issuer }) => known.includes(issuer))
    return wantedIssuers(grants, await readIssuers(kube, at))
  }
  const deadline = ports.clock.now() + timeoutMs
  const provenIn = await prove(ports, at, wanted, timeoutMs, issuers)
  await proveGateway(ports, at, () => deadline - ports.clock.now())
  return provenIn
}

/**
 * The gateway has what turns passwords into tokens: refused, it would keep every later change from it.
 * @throws cluster error GATEWAY_NOT_PROVEN
 */
async function proveGateway(ports: Ports, at: Installation, leftMs: () => number): Promise<void> {
  for (;;) {
    const exposures = await readExposures(ports.kube, at)
    const names = answeredNames(at, exposures)
    if (tokenHosts(exposures).length === 0) return
    const faults = await gatewayFaults(ports, exposingGateway(at), EXPOSE_POD_PORT, names)
    if (faults.length === 0) return
    if (leftMs() <= 0)
      throw clusterError('GATEWAY_NOT_PROVEN', `the exposing gateway is not as it should be: ${faults.join('; ')}`, {
        suggestions: ['regctl status', `kubectl get envoyfilters -n ${exposeNamespace(at)}`],
        details: { faults },
      })
    await ports.clock.sleep(500, ports.signal)
  }
}
