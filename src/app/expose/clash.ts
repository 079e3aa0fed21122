import type { V1Node, V1Pod } from '@kubernetes/client-node'
import type { Installation } from '../../domain/installation.ts'
import { describeRef, type KubeObject, refOf } from '../../domain/kube-object.ts'
import { isUntainted, podHolders } from '../../domain/open-ports/holders.ts'
import { belongsTo } from '../../domain/ownership.ts'
import type { Exposure } from '../../domain/policy/exposure.ts'
import { EXPOSE_POD_PORT, EXPOSE_PORT } from '../../domain/stack/exposure.ts'
import { hostIn, serversOf } from '../../domain/stack/foreign-gateway.ts'
import { exposingGateway } from '../../domain/stack/gateway-admission.ts'
import { conflictError } from '../../errors.ts'
import type { Ports } from '../../ports.ts'
import { foreignToOwn } from '../cluster/gateway.ts'

const NETWORKING = 'networking.istio.io/v1'

/**
 * A name leads to one place. Wildcards do not count: they are what is left of other names.
 * @throws conflict error HOST_TAKEN
 */
export async function checkHost(ports: Ports, at: Installation, { host, gateway, secret }: Exposure): Promise<void> {
  const [gateways, services] = await Promise.all(
    ['Gateway', 'VirtualService'].map((kind) => ports.kube.list({ apiVersion: NETWORKING, kind })),
  )
  const holders = [
    ...(gateways ?? []).filter((object) => {
      // Its own server for the host is the one that is used.
      const isChosen = secret === undefined && `${object.metadata.namespace}/${object.metadata.name}` === gateway
      return !isChosen && serversOf(object).some(({ hosts = [] }) => hosts.some((one) => hostIn(one) === host))
    }),
    ...(services ?? []).filter(({ spec }) => {
      const { hosts = [], gateways: bound = ['mesh'] } = (spec ?? {}) as Routed
      return hosts.includes(host) && bound.some((one) => one !== 'mesh')
    }),
  ].filter((object) => !belongsTo(at, object))
  if (holders.length === 0) return
  const named = holders.map((object) => describeRef(refOf(object)))
  throw conflictError('HOST_TAKEN', `host "${host}" is ${named.join(' and ')}'s already`, {
    suggestions: [
      'regctl expose another host',
      ...holders.map(
        ({ kind, metadata: { namespace, name } }) =>
          `kubectl delete ${kind.toLowerCase()}s.networking.istio.io -n ${namespace} ${name}`,
      ),
    ],
    details: { objects: named },
  })
}

type Routed = { readonly hosts?: readonly string[]; readonly gateways?: readonly string[] }

/**
 * The admission rule asks whoever makes a Gateway from now on; those that exist it never asks.
 * @throws conflict error GATEWAY_ATTACHES
 */
export async function checkGateways(ports: Ports, at: Installation): Promise<void> {
  const { attached } = await foreignToOwn(ports, exposingGateway(at))
  if (attached.length === 0) return
  const name = (object: KubeObject) => describeRef(refOf(object))
  throw conflictError(
    'GATEWAY_ATTACHES',
    `${attached.map(name).join(', ')} would attach to the exposing gateway, and could read by it all that is exposed and take what its clients send`,
    {
      suggestions: attached.map(
        ({ metadata }) =>
          `kubectl edit gateways.networking.istio.io -n ${metadata.namespace} ${metadata.name}, and give its selector a label of its own gateway's pods, such as app`,
      ),
      details: { gateways: attached.map(name) },
    },
  )
}

/**
 * The gateway's pod would wait for a node for ever where others have its port on each.
 * @throws conflict error PORT_TAKEN
 */
export async function checkHostPort({ kube }: Ports, at: Installation): Promise<void> {
  const list = (kind: string) => kube.list({ apiVersion: 'v1', kind })
  const [nodes, pods] = await Promise.all([list('Node'), list('Pod')])
  const placed = (pods as unknown as readonly V1Pod[]).filter(({ spec }) => spec?.nodeName)
  const holders = (nodes as unknown as readonly V1Node[])
    .filter(isUntainted)
    .map(({ metadata }) =>
      podHolders(
        [{ port: EXPOSE_PORT, targetPort: EXPOSE_POD_PORT, address: 'all' }],
        [metadata?.name ?? ''],
        placed,
        exposingGateway(at).namespace,
      ),
    )
  if (holders.length === 0 || holders.some((ofNode) => ofNode.length === 0)) return
  const named = holders.flat().map(({ what }) => what)
  throw conflictError('PORT_TAKEN', `port ${EXPOSE_PORT} is taken on every node, by ${named.join(', ')}`, {
    suggestions: ['regctl expose HOST --type LoadBalancer', 'regctl expose HOST --type NodePort'],
    details: { holders: holders.flat() },
  })
}
