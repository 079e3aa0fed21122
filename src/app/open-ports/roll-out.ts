import type { V1DaemonSet } from '@kubernetes/client-node'
import type { Installation } from '../../domain/installation.ts'
import type { KubeObject } from '../../domain/kube-object.ts'
import { gatewayName, portNamespace } from '../../domain/open-ports/place.ts'
import { clusterError, conflictError, RegctlError } from '../../errors.ts'
import type { Ports } from '../../ports.ts'
import { namespaceRef } from '../grant/grants.ts'
import { diagnose } from '../inspect/diagnose.ts'
import { type Making, settleSet } from './settle.ts'

const POLL = 400

/**
 * Makes a set follow the list of open ports and waits until all its nodes serve.
 * @throws cluster error NOT_READY, conflict error PORT_CLOSED where somebody closes it meanwhile
 */
export async function rollOut(
  ports: Ports,
  at: Installation,
  name: string,
  made: Making,
  timeoutMs: number,
  note: (text: string) => void,
): Promise<void> {
  const deadline = ports.clock.now() + timeoutMs
  const settle = async () => {
    if (!(await settleSet(ports.kube, at, name, made)))
      throw conflictError('PORT_CLOSED', `the last port of "${name}" was closed meanwhile`)
  }
  await untilUsable(ports, at, name, deadline, settle, note)
  for (;;) {
    const set = await daemonSetOf(ports, at, name)
    // A `close-port` that was under way may have taken it along.
    if (set === undefined) await untilUsable(ports, at, name, deadline, settle, note)
    const { done, text } = progressOf(set)
    note(text)
    if (done) return
    if (ports.clock.now() >= deadline) throw await notReady(ports, at, name, text, timeoutMs)
    await ports.clock.sleep(POLL, ports.signal)
  }
}

/** A namespace that is being deleted takes nothing new, until it is gone and there again. */
async function untilUsable(
  ports: Ports,
  at: Installation,
  name: string,
  deadline: number,
  settle: () => Promise<void>,
  note: (text: string) => void,
): Promise<void> {
  for (;;) {
    try {
      if (!(await isEnding(ports, at, name))) return await settle()
    } catch (error) {
      const isOver = ports.clock.now() >= deadline
      if (!(error instanceof RegctlError) || isOver || !(await isEnding(ports, at, name))) throw error
    }
    note('its namespace is still being deleted')
    if (ports.clock.now() >= deadline)
      throw clusterError('NAMESPACE_STAYS', `namespace "${portNamespace(at, name)}" is still being deleted`, {
        suggestions: [`kubectl get namespace ${portNamespace(at, name)} -o yaml`],
      })
    await ports.clock.sleep(POLL, ports.signal)
  }
}

/** It takes nothing new until it is gone. */
async function isEnding({ kube }: Ports, at: Installation, name: string): Promise<boolean> {
  const namespace = await kube.get(namespaceRef(portNamespace(at, name)))
  return namespace?.metadata.deletionTimestamp !== undefined
}

export const daemonSetOf = ({ kube }: Pick<Ports, 'kube'>, at: Installation, name: string) =>
  kube.get({ apiVersion: 'apps/v1', kind: 'DaemonSet', namespace: portNamespace(at, name), name: gatewayName(name) })

export function progressOf(object: KubeObject | undefined): { readonly done: boolean; readonly text: string } {
  const { metadata, status } = (object ?? {}) as V1DaemonSet
  const seen = (status?.observedGeneration ?? 0) >= (metadata?.generation ?? 1)
  const wanted = status?.desiredNumberScheduled ?? 0
  const ready = Math.min(status?.numberReady ?? 0, status?.updatedNumberScheduled ?? 0)
  return { done: seen && wanted > 0 && ready === wanted, text: `gateway ${ready}/${wanted}` }
}

async function notReady(
  ports: Ports,
  at: Installation,
  name: string,
  text: string,
  timeoutMs: number,
): Promise<RegctlError> {
  const home = portNamespace(at, name)
  const findings = (await diagnose(ports, at)).filter(({ object }) => object.startsWith(`pod ${home}/`))
  const why = findings.map(({ object, why: said }) => `\n  ${object}: ${said}`).join('')
  return clusterError('NOT_READY', `${text} ready after ${Math.round(timeoutMs / 1000)} s${why}`, {
    suggestions: [
      `kubectl get events -n ${home}`,
      'add --timeout 5m, to wait longer; what is applied stays and can be continued',
      'regctl close-port PORT, which takes it back',
    ],
    details: { findings: findings.map(({ object, why: said }) => `${object}: ${said}`) },
  })
}
