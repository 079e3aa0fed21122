import type { V1Pod } from '@kubernetes/client-node'
import { REGISTRY } from '../../domain/installation.ts'
import { preconditionError, RegctlError } from '../../errors.ts'
import type { ForwardPorts, PodTarget } from '../../ports/forward.ts'
import type { Right } from '../../ports.ts'
import { findInstalled, requireInstalled } from '../cluster/installed.ts'
import { registryPods } from '../cluster/proxy.ts'
import { carried } from './carried.ts'
import type { ForwardInput, Way } from './way.ts'

const DEFAULT_PORT = 5000

/** What port-forward mode asks of the API server for. `get` opens a WebSocket too, `create` is asked for since Kubernetes 1.35. */
const rights = (namespace: string): readonly Right[] => [
  { verb: 'create', group: '', resource: 'pods', subresource: 'portforward', namespace },
  { verb: 'get', group: '', resource: 'pods', namespace },
  { verb: 'list', group: '', resource: 'pods', namespace },
]

/**
 * Through the API server to the registry's pod; no policy of Istio's applies there.
 * @throws precondition errors NO_RIGHT and NOT_INSTALLED
 */
export async function portForwardWay(ports: ForwardPorts, input: ForwardInput): Promise<Way> {
  const { forwards } = ports
  const target = await registryTarget(ports, input.namespace)
  // kubectl carries more bytes a second and small requests in half the time; it is not everywhere.
  const found = input.transport !== 'websocket' && (await forwards.kubectlFound())
  const kubectl = found || input.transport === 'kubectl'
  return {
    mode: 'port-forward',
    port: target.port,
    serve: carried(ports, (tell) => (kubectl ? forwards.kubectl(target, tell) : forwards.webSockets(target, tell))),
  }
}

async function registryTarget(ports: ForwardPorts, namespace: string): Promise<PodTarget> {
  const { kube } = ports
  const wanted = rights(namespace)
  const allowed = await Promise.all(wanted.map((right) => kube.can(right)))
  const missing = wanted.filter((_, index) => allowed[index] !== true)
  if (missing.length > 0) throw noRight(missing, namespace, kube.target.context)
  const pods = await registryPods(ports, { namespace })
  const port = pods.length > 0 ? portOf(pods) : (await requireInstalled(kube, namespace)).at.port
  return { namespace, selector: `app=${REGISTRY}`, port: port ?? (await settledPort(ports, namespace)) }
}

const portOf = (pods: readonly V1Pod[]): number | undefined =>
  pods[0]?.spec?.containers.find(({ name }) => name === 'registry')?.ports?.[0]?.containerPort

/** A registry that regctl did not write; the settings may be out of reach for who may only forward. */
async function settledPort(ports: ForwardPorts, namespace: string): Promise<number> {
  try {
    return (await findInstalled(ports.kube, namespace))?.at.port ?? DEFAULT_PORT
  } catch (error) {
    if (error instanceof RegctlError && error.code === 'FORBIDDEN') return DEFAULT_PORT
    throw error
  }
}

const rightText = ({ verb, resource, subresource }: Right): string =>
  `${verb} ${resource}${subresource === undefined ? '' : `/${subresource}`}`

function noRight(missing: readonly Right[], namespace: string, context: string): RegctlError {
  const list = missing.map(rightText).join(', ')
  const role = 'regctl-forward'
  return preconditionError(
    'NO_RIGHT',
    `port-forward mode needs the right to ${list} in namespace "${namespace}", which context "${context}" does not have`,
    {
      suggestions: [
        `ask whoever may: kubectl create role ${role} -n ${namespace} --verb=get,list,watch,create --resource=pods,pods/portforward`,
        `and: kubectl create rolebinding ${role} -n ${namespace} --role=${role} --user=YOU`,
      ],
      details: { missing: missing.map(rightText), namespace, mode: 'port-forward' },
    },
  )
}
