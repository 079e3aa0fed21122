import { randomBytes } from 'node:crypto'
import type { V1Pod } from '@kubernetes/client-node'
import { type Installation, nodeNamespace } from '../../domain/installation.ts'
import { type KubeObject, refOf } from '../../domain/kube-object.ts'
import type { Holder } from '../../domain/open-ports/holders.ts'
import type { OpenPort } from '../../domain/open-ports/port-set.ts'
import { type Looked, looked, PROBE_LABEL, probeJob, socketHolders } from '../../domain/open-ports/probe.ts'
import { clusterError, RegctlError } from '../../errors.ts'
import type { OpenPortPorts } from '../../ports.ts'

/** So many nodes at a time. */
const AT_ONCE = 16
const POLL = 300
const PATIENCE = 45_000

/** The ports to be looked for on each node. */
export type Wanted = ReadonlyMap<string, readonly OpenPort[]>

/**
 * Processes of the nodes themselves that listen on these ports. The pods that look are gone when it returns; where regctl
 * is killed, the cluster removes them.
 * @throws cluster error PROBE_FAILED
 */
export async function processHolders(
  ports: OpenPortPorts,
  at: Installation,
  image: string,
  wanted: Wanted,
): Promise<readonly Holder[]> {
  const nodes = [...wanted].filter(([, ours]) => ours.length > 0)
  const found: Holder[] = []
  for (let from = 0; from < nodes.length; from += AT_ONCE)
    found.push(...(await lookAt(ports, at, image, nodes.slice(from, from + AT_ONCE))))
  return found
}

async function lookAt(
  ports: OpenPortPorts,
  at: Installation,
  image: string,
  nodes: readonly (readonly [string, readonly OpenPort[]])[],
): Promise<readonly Holder[]> {
  const id = randomBytes(4).toString('hex')
  const jobs = nodes.map(([node, ours], index) => probeJob(at, { id, node, image, ports: ours }, index))
  try {
    await Promise.all(jobs.map((job) => ports.kube.create(job)))
    const told = await untilLooked(
      ports,
      at,
      id,
      nodes.map(([node]) => node),
    )
    return nodes.flatMap(([node, ours]) => socketHolders({ node, ports: ours }, told.get(node) ?? ''))
  } finally {
    await Promise.all(jobs.map((job) => remove(ports, job)))
  }
}

async function untilLooked(
  ports: OpenPortPorts,
  at: Installation,
  id: string,
  nodes: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const deadline = ports.clock.now() + PATIENCE
  for (;;) {
    const states = await statesOf(ports, at, id)
    const told = new Map(
      [...states].flatMap(([node, state]) => (state.phase === 'looked' ? [[node, state.message] as const] : [])),
    )
    const missing = nodes.filter((node) => !told.has(node))
    if (missing.length === 0) return told
    const failed = missing.find((node) => states.get(node)?.phase === 'failed')
    if (failed !== undefined || ports.clock.now() >= deadline) {
      const node = failed ?? missing[0] ?? ''
      const state = states.get(node)
      const why = state === undefined || state.phase === 'looked' ? 'it got no pod' : state.why
      throw clusterError('PROBE_FAILED', `nobody could look at the ports of node ${node}: ${why}`, {
        suggestions: [`kubectl get events -n ${nodeNamespace(at)}`],
      })
    }
    await ports.clock.sleep(POLL, ports.signal)
  }
}

async function statesOf({ kube }: OpenPortPorts, at: Installation, id: string): Promise<ReadonlyMap<string, Looked>> {
  const options = { namespace: nodeNamespace(at), labelSelector: `${PROBE_LABEL}=${id}` }
  const pods = (await kube.list({ apiVersion: 'v1', kind: 'Pod' }, options)) as unknown as V1Pod[]
  return new Map(pods.map((pod) => [pod.spec?.nodeName ?? '', looked(pod)]))
}

/** After an interrupt too. What cannot be removed now, the Job's own limits do. */
async function remove({ cleanup, report }: OpenPortPorts, job: KubeObject): Promise<void> {
  try {
    await cleanup.remove(refOf(job))
  } catch (error) {
    if (!(error instanceof RegctlError)) throw error
    report.warn(`Job ${job.metadata.namespace}/${job.metadata.name} goes by itself in a minute: ${error.message}`)
  }
}
