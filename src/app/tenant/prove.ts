import type { Installation } from '../../domain/installation.ts'
import { type Expectation, expectations } from '../../domain/policy/expectation.ts'
import type { Grant } from '../../domain/policy/grant.ts'
import { privateExpectations } from '../../domain/policy/private-expectation.ts'
import type { Ports } from '../../ports.ts'
import { readGrants } from '../grant/grants.ts'
import { prove } from '../grant/prove.ts'
import { readTenants } from './state.ts'

/** Waits until the registry's proxies decide as the grants of these namespaces and all private tenants say. */
export function proveTenants(
  ports: Ports,
  at: Installation,
  trustDomain: string,
  of: readonly string[],
  timeoutMs: number,
  more: (grants: readonly Grant[]) => readonly Expectation[] = () => [],
): Promise<number> {
  const wanted = async () => {
    const [state, grants] = await Promise.all([readTenants(ports.kube, at), readGrants(ports.kube, at)])
    return [
      ...expectations(
        at,
        trustDomain,
        grants.filter(({ namespace }) => of.includes(namespace)),
      ),
      ...privateExpectations(at, trustDomain, state, grants, of),
      ...more(grants),
    ]
  }
  return prove(ports, at, wanted, timeoutMs)
}
