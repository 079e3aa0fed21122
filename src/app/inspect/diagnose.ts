import type { CoreV1Event, V1ContainerStatus, V1Pod } from '@kubernetes/client-node'
import { type Installation, ingressNamespace, nodeNamespace } from '../../domain/installation.ts'
import { isReady } from '../../domain/ready-pods.ts'
import { developerGateway } from '../../domain/stack/gateway-admission.ts'
import type { Ports } from '../../ports.ts'
import { gatewayPods, nodeProxyPods, podsOf, registryPods } from '../cluster/proxy.ts'

/** Why one object is not as it should be, and the command that helps. */
export type Finding = { readonly object: string; readonly why: string; readonly fix: string }

/** The init container of assets/manifests/registry.yaml that holds the registry back. */
const GATE = 'policies-in-force'

const EVENT = { apiVersion: 'v1', kind: 'Event' } as const

/** Looks at every pod of the installation that is not ready, and at the workloads that could not make one. */
export async function diagnose(ports: Ports, at: Installation): Promise<readonly Finding[]> {
  const pods = (await podsOf(ports, at)).filter((pod) => !isReady(pod) && !endsInTime(pod, ports.clock.now()))
  const podFindings = await Promise.all(pods.map((pod) => podFinding(ports, pod)))
  const noPods = (await registryPods(ports, at)).length === 0 ? await workloadFindings(ports, at.namespace) : []
  const noNodes = (await nodeProxyPods(ports, at)).length === 0 ? await workloadFindings(ports, nodeNamespace(at)) : []
  const noGateway = at.developers === true && (await gatewayPods(ports, developerGateway(at))).length === 0
  const noIngress = noGateway ? await workloadFindings(ports, ingressNamespace(at)) : []
  return [...podFindings, ...noPods, ...noNodes, ...noIngress]
}

/** Its `deletionTimestamp` is when its grace period is over. */
const endsInTime = ({ metadata }: V1Pod, now: number): boolean =>
  metadata?.deletionTimestamp !== undefined && new Date(metadata.deletionTimestamp).getTime() > now

async function podFinding(ports: Ports, pod: V1Pod): Promise<Finding> {
  const { namespace = '', name = '' } = pod.metadata ?? {}
  const statuses = [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])]
  const stuck = statuses.find((status) => !status.ready && stateText(status) !== undefined)
  const gated = statuses.some(({ name, state }) => name === GATE && state?.running !== undefined)
  const reasons = [
    ...(gated ? ['it waits for its policies, which are not in force in its proxy'] : []),
    stuck === undefined
      ? (pod.status?.reason ?? pod.status?.phase ?? 'unknown')
      : `container ${stuck.name} ${stateText(stuck)}`,
    ...(pod.status?.conditions ?? []).flatMap((condition) =>
      condition.reason === 'Unschedulable' ? [condition.message ?? ''] : [],
    ),
    ...(await warnings(ports, namespace, name)),
    ...(stuck === undefined || stuck.restartCount === 0 ? [] : await lastLines(ports, namespace, name, stuck.name)),
  ]
  return {
    object: `pod ${namespace}/${name}`,
    why: reasons.join('; '),
    fix: fixFor(reasons.join(' '), namespace, name),
  }
}

function stateText({ state }: V1ContainerStatus): string | undefined {
  if (state?.waiting?.reason !== undefined)
    return `waits: ${state.waiting.reason} ${state.waiting.message ?? ''}`.trim()
  if (state?.terminated !== undefined)
    return `ended with ${state.terminated.exitCode}: ${state.terminated.reason ?? ''}`.trim()
  return undefined
}

async function warnings(ports: Ports, namespace: string, name?: string): Promise<readonly string[]> {
  const events = (await ports.kube.list(EVENT, { namespace })) as unknown as CoreV1Event[]
  const about = events.filter(
    (event) => event.type === 'Warning' && (name === undefined || event.involvedObject.name === name),
  )
  // They come in the order of their names, which tells nothing of when.
  const latest = about.toSorted((one, other) => timeOf(one) - timeOf(other)).slice(-3)
  return [...new Set(latest.map((event) => `${event.reason}: ${event.message}`))]
}

const timeOf = ({ lastTimestamp, eventTime }: CoreV1Event): number =>
  new Date(lastTimestamp ?? eventTime ?? 0).getTime()

async function lastLines(ports: Ports, namespace: string, name: string, container: string): Promise<readonly string[]> {
  try {
    const log = await ports.pods.logs(namespace, name, container, { tailLines: 3, previous: true })
    return log.trim() === '' ? [] : [`last log lines: ${log.trim()}`]
  } catch {
    return []
  }
}

async function workloadFindings(ports: Ports, namespace: string): Promise<readonly Finding[]> {
  const found = await warnings(ports, namespace)
  return found.map((why) => ({ object: `namespace ${namespace}`, why, fix: `kubectl get events -n ${namespace}` }))
}

function fixFor(reasons: string, namespace: string, name: string): string {
  if (reasons.includes('waits for its policies')) return 'regctl up'
  if (/ErrImagePull|ImagePullBackOff/.test(reasons)) return 'regctl up --image AN_IMAGE_THE_NODES_CAN_PULL'
  if (/unbound|PersistentVolumeClaim/.test(reasons)) return 'regctl up --storage-class NAME, or --storage emptydir'
  if (/violates PodSecurity/.test(reasons))
    return `kubectl label namespace ${namespace} pod-security.kubernetes.io/enforce=privileged`
  if (/free ports|hostPort/.test(reasons)) return 'regctl doctor, which names the pod that holds the port'
  return `kubectl describe pod -n ${namespace} ${name}`
}
