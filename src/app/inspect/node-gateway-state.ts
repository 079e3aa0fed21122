import type { Installation } from '../../domain/installation.ts'
import { describeRef, refOf } from '../../domain/kube-object.ts'
import type { Ports } from '../../ports.ts'
import { foreignToNodes, nodeGatewayFaults } from '../cluster/node-gateway.ts'
import type { Problems } from './problems.ts'

/** What is wrong with the gateways of the nodes, where they are gateways. */
export async function nodeGatewayProblems(ports: Ports, at: Installation, problems: Problems): Promise<void> {
  if (at.nodeGateway !== true) return
  const [foreign, faults] = await Promise.all([foreignToNodes(ports, at), nodeGatewayFaults(ports, at)])
  for (const gateway of foreign.attached) {
    const { name, namespace } = gateway.metadata
    problems.say(
      `${describeRef(refOf(gateway))} attaches to the nodes' gateways and can answer their pulls`,
      `kubectl delete gateways.networking.istio.io -n ${namespace} ${name}`,
    )
  }
  for (const fault of faults) problems.say(`the gateway of ${fault}`, 'kubectl get gateways.networking.istio.io -A')
}
