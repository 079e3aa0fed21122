import { closePort } from '../../../src/app/open-ports/close.ts'
import { changeSets } from '../../../src/app/open-ports/ledger.ts'
import { openPorts } from '../../../src/app/open-ports/list.ts'
import { openPort } from '../../../src/app/open-ports/open.ts'
import { type KubeObject, refOf } from '../../../src/domain/kube-object.ts'
import type { PortRequest } from '../../../src/domain/open-ports/port-set.ts'
import { withPort } from '../../../src/domain/open-ports/port-set.ts'
import { PROBE_LABEL } from '../../../src/domain/open-ports/probe.ts'
import type { OpenPortPorts } from '../../../src/ports.ts'
import { at } from '../../domain/at.ts'
import {
  clusterObject,
  type FakeCluster,
  type fakeCluster,
  forget,
  installedCluster,
  namespace,
} from '../../fakes/cluster.ts'

export const HOME = 'kube-registry-ports-web'

/** The registry on two nodes that have addresses, and a namespace that may be named. */
export async function cluster(options: Parameters<typeof fakeCluster>[0] = {}): Promise<FakeCluster> {
  const made = await installedCluster({}, options)
  for (const [index, name] of ['node1', 'node2'].entries())
    made.store.put({
      ...clusterObject('v1', 'Node', name),
      status: { addresses: [{ type: 'InternalIP', address: `10.0.0.${index + 1}` }] },
    })
  made.store.put(namespace('team-a'))
  forget(made)
  return made
}

/** One that serves `app.example.com` on 443. */
export const gateway = (at: string, name: string, selector?: Readonly<Record<string, string>>): KubeObject => ({
  apiVersion: 'networking.istio.io/v1',
  kind: 'Gateway',
  metadata: { name, namespace: at },
  spec: {
    ...(selector === undefined ? {} : { selector }),
    servers: [{ port: { number: 443, protocol: 'HTTPS' }, hosts: ['./app.example.com'] }],
  },
})

/** A line of /proc/net/tcp for a listener of root's on every address. */
export const listener = (port: number): string =>
  `   0: 00000000:${port.toString(16).toUpperCase().padStart(4, '0')} 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1\n`

/** What a probe's container says on a node, or how its pod is. */
export type Probed = (node: string) => string | Readonly<Record<string, unknown>>

/** The Job controller and the nodes' kubelets, for probes. */
export function probing({ store }: FakeCluster, said: Probed = () => ''): void {
  store.watchers.push((object) => {
    if (object.kind !== 'Job' || object.metadata.deletionTimestamp !== undefined) return
    const { template } = object.spec as { template: { spec: { nodeName: string } } }
    const text = said(template.spec.nodeName)
    const status =
      typeof text === 'string'
        ? { containerStatuses: [{ state: { terminated: { exitCode: 0, message: `${text}looked\n` } } }] }
        : text
    store.put({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: {
        name: `${object.metadata.name}-x`,
        namespace: object.metadata.namespace ?? '',
        labels: { [PROBE_LABEL]: object.metadata.labels?.[PROBE_LABEL] ?? '' },
        ownerReferences: [{ ...refOf(object), uid: object.metadata.uid ?? '' }],
      },
      spec: template.spec,
      status,
    })
  })
}

export const portsOf = ({ ports, kube }: FakeCluster): OpenPortPorts => ({ ...ports, cleanup: kube })

export const open = (cluster: FakeCluster, request: PortRequest) =>
  openPort(portsOf(cluster), 'kube-registry', request, 30_000)

export const close = (cluster: FakeCluster, port: number) => closePort(cluster.ports, 'kube-registry', port, 30_000)

export const list = (cluster: FakeCluster) => openPorts(cluster.ports, at)

/** As another regctl would in the same moment. */
export const alsoListed = ({ kube }: FakeCluster, request: PortRequest) =>
  changeSets(kube, at, (sets) => withPort(at, sets, request).sets)

export const names = ({ store }: FakeCluster, apiVersion: string, kind: string): readonly string[] =>
  store.list({ apiVersion, kind }).map(({ metadata }) => metadata.name)

export type DaemonSetPorts = readonly { readonly hostPort: number; readonly hostIP?: string }[]

export function hostPorts({ store }: FakeCluster, set: string): readonly number[] {
  const ref = { namespace: `kube-registry-ports-${set}`, name: `registry-ports-${set}` }
  const found = store.read({ apiVersion: 'apps/v1', kind: 'DaemonSet', ...ref })
  const spec = found?.spec as { template: { spec: { containers: { ports: DaemonSetPorts }[] } } } | undefined
  return spec?.template.spec.containers[0]?.ports.map(({ hostPort }) => hostPort) ?? []
}
