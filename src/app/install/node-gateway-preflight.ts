import { preconditionError } from '../../errors.ts'
import type { Ports } from '../../ports.ts'
import { foreignToNodes } from '../cluster/node-gateway.ts'
import { refuseAttached } from './attached-gateways.ts'
import type { InstallPlan } from './install-plan.ts'

const NODES = "the nodes' gateways, answer their pulls and open ports on every node"

/**
 * A Gateway of any namespace that fits a node's gateway is every kubelet's registry, so without the rule against
 * those to come, and with one that is there, the nodes keep the proxy that takes none.
 */
export async function checkNodeGateway(ports: Ports, { at, mesh }: InstallPlan): Promise<void> {
  if (at.nodeGateway !== true) return
  if (!mesh.admissionPolicies)
    throw preconditionError(
      'NO_ADMISSION_POLICY',
      "this cluster has no ValidatingAdmissionPolicy, without which whoever may make a Gateway anywhere could answer every node's pulls",
      { suggestions: ['regctl up --node-proxy sidecar, which takes no Gateways'] },
    )
  refuseAttached(ports, await foreignToNodes(ports, at), NODES)
}
