import type { V1Pod } from '@kubernetes/client-node'
import { type Installation, nodeNamespace, ownerLabels } from '../installation.ts'
import type { KubeObject } from '../kube-object.ts'
import type { Holder } from './holders.ts'
import type { OpenPort } from './port-set.ts'

/** Label on a probe's Job and pod; its value is of one run. */
export const PROBE_LABEL = 'regctl.dev/port-probe'

/** Far longer than a look takes. */
const LIVES_SECONDS = 60

export type Probe = {
  readonly id: string
  readonly node: string
  /** One that has `sh` and `grep`; the registry's own does. */
  readonly image: string
  readonly ports: readonly OpenPort[]
}

/**
 * Looks for listening sockets of one node from its own network, which no list of the API server shows. A Job goes by itself,
 * whatever becomes of regctl. The pod names its node, because there is nothing to schedule.
 */
export function probeJob(
  at: Pick<Installation, 'namespace'>,
  { id, node, image, ports }: Probe,
  index: number,
): KubeObject {
  const labels = { [PROBE_LABEL]: id }
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: {
      name: `port-probe-${id}-${index}`,
      namespace: nodeNamespace(at),
      labels: { ...labels, ...ownerLabels(at) },
    },
    spec: {
      backoffLimit: 0,
      activeDeadlineSeconds: LIVES_SECONDS,
      ttlSecondsAfterFinished: 15,
      template: {
        metadata: { labels: { ...labels, 'sidecar.istio.io/inject': 'false', 'istio.io/dataplane-mode': 'none' } },
        spec: {
          nodeName: node,
          hostNetwork: true,
          restartPolicy: 'Never',
          terminationGracePeriodSeconds: 0,
          automountServiceAccountToken: false,
          tolerations: [{ operator: 'Exists' }],
          securityContext: { seccompProfile: { type: 'RuntimeDefault' } },
          containers: [
            {
              name: 'probe',
              image,
              imagePullPolicy: 'IfNotPresent',
              command: ['sh', '-c', script(ports)],
              resources: { requests: { cpu: '5m', memory: '8Mi' } },
              securityContext: {
                runAsNonRoot: true,
                runAsUser: 65_532,
                runAsGroup: 65_532,
                readOnlyRootFilesystem: true,
                allowPrivilegeEscalation: false,
                capabilities: { drop: ['ALL'] },
              },
            },
          ],
        },
      },
    },
  }
}

const hex = (port: number): string => port.toString(16).toUpperCase().padStart(4, '0')

/** State 0A is LISTEN (include/net/tcp_states.h). The kubelet passes on 4096 bytes, enough for a few lines. */
const script = (ports: readonly OpenPort[]): string =>
  `grep -hsE '^ *[0-9]+: [0-9A-F]+:(${ports.map(({ port }) => hex(port)).join('|')}) [0-9A-F:]+ 0A ' /proc/net/tcp /proc/net/tcp6 | head -n 20 > /dev/termination-log; echo looked >> /dev/termination-log`

export type Looked =
  | { readonly phase: 'waiting'; readonly why: string }
  | { readonly phase: 'failed'; readonly why: string }
  | { readonly phase: 'looked'; readonly message: string }

export function looked(pod: V1Pod): Looked {
  const state = pod.status?.containerStatuses?.[0]?.state
  const message = state?.terminated?.message ?? ''
  if (message.trimEnd().endsWith('looked')) return { phase: 'looked', message }
  const { reason, message: text, phase } = pod.status ?? {}
  if (phase === 'Failed' || state?.terminated != null)
    return {
      phase: 'failed',
      why: text ?? reason ?? (message.trim() || `it ended with ${state?.terminated?.exitCode}`),
    }
  const waiting = state?.waiting
  return { phase: 'waiting', why: waiting?.message ?? waiting?.reason ?? 'its pod has not started' }
}

const LINE = /^ *\d+: ([0-9A-F]+):([0-9A-F]{4}) \S+ 0A \S+ \S+ \S+ +(\d+)/

/** Who listens on ports that are to be ours. */
export function socketHolders({ node, ports }: Pick<Probe, 'node' | 'ports'>, message: string): readonly Holder[] {
  const found = message.split('\n').flatMap((line) => {
    const [, address = '', number = '', user = ''] = LINE.exec(line) ?? []
    const ours = ports.find(({ port }) => port === Number.parseInt(number || '0', 16))
    if (ours === undefined || (ours.address === 'loopback' && !onLoopback(address))) return []
    const where = addressText(address)
    return [{ port: ours.port, what: `a process of node ${node} (user ${user}, on ${where})` }]
  })
  return [...new Map(found.map((holder) => [`${holder.port} ${holder.what}`, holder])).values()]
}

/** As the kernel prints an IPv4 address: four bytes, the last one first on little-endian machines. */
const IPV4_LOOPBACK = '0100007F'

const onLoopback = (address: string): boolean =>
  /^0+$/.test(address) || address === IPV4_LOOPBACK || address.endsWith(`FFFF0000${IPV4_LOOPBACK}`)

function addressText(address: string): string {
  if (/^0+$/.test(address)) return 'every address'
  if (address.length > 8)
    return address.endsWith('01000000') && /^0+$/.test(address.slice(0, 24)) ? '::1' : 'an IPv6 address'
  return (address.match(/../g) ?? [])
    .map((byte) => Number.parseInt(byte, 16))
    .reverse()
    .join('.')
}
