import type { KubeObject } from '../../domain/kube-object.ts'
import type { GivenSettings } from '../../domain/settings.ts'
import type { Ports } from '../../ports.ts'
import { planInstall } from './install-plan.ts'

/** All that `up` and the grants apply, in order; never the secret. Needs the cluster: the proxy's container is its mesh's. */
export async function render(ports: Ports, namespace: string, given: GivenSettings): Promise<readonly KubeObject[]> {
  const { wanted } = await planInstall(ports, namespace, given)
  return wanted
}
