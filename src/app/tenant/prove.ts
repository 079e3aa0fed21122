import type { Installation } from '../../domain/installation.ts'
import { type Expectation, expectations } from '../../domain/policy/expectation.ts'
import type { Grant } from '../../domain/policy/grant.ts'
import { privateExpectations } from '../../domain/policy/private-expectation.ts'
import type { Ports } from '../../ports.ts'
import { prove } from '../grant/prove.ts'
import { readGiven } from '../policies/given.ts'
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
    const [state, given] = await Promise.all([readTenants(ports.kube, at), readGiven(ports.kube, at)])
    const { grants } = given
    return [
      ...expectations(
        at,
        trustDomain,
        grants.filter(({ namespace }) => of.includes(namespace)),
      ),
      ...privateExpectations(at, trustDomain, state, given, of),
      ...more(grants),
    ]
  }
  return prove(ports, at, wanted, timeoutMs)
}
