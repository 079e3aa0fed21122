import type { V1DaemonSet, V1Deployment } from '@kubernetes/client-node'
import { type Installation, NODE_PROXY, nodeNamespace, REGISTRY } from '../../domain/installation.ts'
import type { OwnGateway } from '../../domain/stack/gateway-admission.ts'
import { clusterError } from '../../errors.ts'
import type { Ports } from '../../ports.ts'
import { diagnose } from '../inspect/diagnose.ts'

type Progress = { readonly done: boolean; readonly text: string }

async function deploymentProgress({ kube }: Ports, namespace: string, name: string, text: string): Promise<Progress> {
  const found = await kube.get({ apiVersion: 'apps/v1', kind: 'Deployment', namespace, name })
  const deployment = found as unknown as V1Deployment | undefined
  const seen = (deployment?.status?.observedGeneration ?? 0) >= (deployment?.metadata?.generation ?? 1)
  const { readyReplicas = 0, updatedReplicas = 0, replicas = 0 } = deployment?.status ?? {}
  return {
    done: seen && updatedReplicas === 1 && readyReplicas === 1 && replicas === 1,
    text: `${text} ${readyReplicas}/1`,
  }
}

async function nodesProgress({ kube }: Ports, at: Installation): Promise<Progress> {
  const found = await kube.get({
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    namespace: nodeNamespace(at),
    name: NODE_PROXY,
  })
  const set = found as unknown as V1DaemonSet | undefined
  const seen = (set?.status?.observedGeneration ?? 0) >= (set?.metadata?.generation ?? 1)
  const wanted = set?.status?.desiredNumberScheduled ?? 0
  const ready = Math.min(set?.status?.numberReady ?? 0, set?.status?.updatedNumberScheduled ?? 0)
  return { done: seen && wanted > 0 && ready === wanted, text: `node proxy ${ready}/${wanted}` }
}

/** Longer than a start takes where the images are there. */
const TELL_AFTER_MS = 15_000

type Watched = (ports: Ports) => Promise<Progress>

export const gatewayProgress =
  ({ namespace, name, title }: OwnGateway): Watched =>
  (ports) =>
    deploymentProgress(ports, namespace, name, title)

/** Waits until the registry, a proxy on every node and the gateways are ready. */
export const waitReady = (
  ports: Ports,
  at: Installation,
  gateways: readonly OwnGateway[],
  timeoutMs: number,
  note: (text: string) => void,
  hopeless?: () => Promise<void>,
): Promise<void> =>
  waitFor(
    ports,
    at,
    [
      () => deploymentProgress(ports, at.namespace, REGISTRY, 'registry'),
      () => nodesProgress(ports, at),
      ...gateways.map(gatewayProgress),
    ],
    timeoutMs,
    note,
    { hopeless },
  )

type Waiting = {
  /** The command that waits longer. */
  readonly again?: string
  /** Asked once it takes longer than usual; throws where waiting is in vain. */
  readonly hopeless?: (() => Promise<void>) | undefined
}

/**
 * Waits until all of it is ready.
 * @throws cluster error NOT_READY that says which pod, why, and what its events and last log lines are
 */
export async function waitFor(
  ports: Ports,
  at: Installation,
  watched: readonly Watched[],
  timeoutMs: number,
  note: (text: string) => void,
  { again = 'regctl up --timeout 10m', hopeless }: Waiting = {},
): Promise<void> {
  const started = ports.clock.now()
  const deadline = started + timeoutMs
  for (;;) {
    const progress = await Promise.all(watched.map((one) => one(ports)))
    const text = progress.map((one) => one.text).join(', ')
    if (progress.every(({ done }) => done)) return note(text)
    if (ports.clock.now() - started >= TELL_AFTER_MS) await hopeless?.()
    // What lasts is seldom a matter of waiting longer, so it is told before the deadline.
    const [first] = ports.clock.now() - started < TELL_AFTER_MS ? [] : await diagnose(ports, at)
    note(first === undefined ? text : `${text}; ${first.object}: ${first.why}`)
    if (ports.clock.now() >= deadline) {
      const findings = await diagnose(ports, at)
      throw clusterError(
        'NOT_READY',
        `${progress
          .filter(({ done }) => !done)
          .map(({ text }) => text)
          .join(
            ', ',
          )} ready after ${Math.round(timeoutMs / 1000)} s${findings.map(({ object, why }) => `\n  ${object}: ${why}`).join('')}`,
        {
          suggestions: [
            ...new Set(findings.map(({ fix }) => fix)),
            `${again}, to wait longer; what is applied stays and can be continued`,
          ],
          details: { findings: findings.map(({ object, why }) => `${object}: ${why}`) },
        },
      )
    }
    await ports.clock.sleep(700, ports.signal)
  }
}
