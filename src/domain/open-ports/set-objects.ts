import { type Installation, ownerLabels } from '../installation.ts'
import { inApplyOrder } from '../kinds.ts'
import type { KubeObject, ObjectRef } from '../kube-object.ts'
import { refOf } from '../kube-object.ts'
import { gatewayPolicy } from '../stack/gateway-admission.ts'
import { certificatesRole } from '../stack/gateway-workload.ts'
import { gatewaySet, type Injection } from './gateway-set.ts'
import { gatewayName, guardedSet, PORT_SET_LABEL, portNamespace } from './place.ts'
import type { PortSet } from './port-set.ts'

type Home = Pick<Installation, 'namespace'>

/** Everything one set consists of, in the order to apply. */
export function setObjects(
  at: Home,
  set: PortSet,
  injection: Injection,
  admissionPolicies: boolean,
): readonly KubeObject[] {
  const home = portNamespace(at, set.name)
  const name = gatewayName(set.name)
  const labels = { ...ownerLabels(at), [PORT_SET_LABEL]: set.name }
  const metadata = { name, namespace: home, labels }
  return inApplyOrder([
    {
      apiVersion: 'v1',
      kind: 'Namespace',
      // PodSecurity's lower levels forbid host ports.
      metadata: { name: home, labels: { ...labels, 'pod-security.kubernetes.io/enforce': 'privileged' } },
    },
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata, automountServiceAccountToken: false },
    ...certificatesRole(metadata),
    ...(admissionPolicies
      ? gatewayPolicy(at, guardedSet(at, set)).map((object) => ({
          ...object,
          metadata: { ...object.metadata, labels },
        }))
      : []),
    service(set, metadata),
    gatewaySet(at, set, injection),
  ])
}

/** Gives the gateway a name in the mesh, and its Gateways the port of the node as theirs (istio pilot/pkg/model/gateway.go). */
const service = ({ name, ports }: PortSet, metadata: KubeObject['metadata']): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata,
  spec: {
    type: 'ClusterIP',
    selector: { app: gatewayName(name) },
    ports: ports.map(({ port, targetPort }) => ({ name: `port-${port}`, port, targetPort, protocol: 'TCP' })),
  },
})

/** Where they all are, whether or not the set still is. */
export const setRefs = (at: Home, name: string): readonly ObjectRef[] =>
  setObjects(at, { name, ports: [], nodes: '', gatewaysFrom: [] }, { image: '', revision: undefined }, true).map(refOf)
