import type { Installation } from '../../domain/installation.ts'
import { describeRef } from '../../domain/kube-object.ts'
import { isPortNamespace, PORT_SET_LABEL, portNamespace, setOf } from '../../domain/open-ports/place.ts'
import { setWith, withoutPort } from '../../domain/open-ports/port-set.ts'
import { setRefs } from '../../domain/open-ports/set-objects.ts'
import { clusterError, RegctlError } from '../../errors.ts'
import type { Ports } from '../../ports.ts'
import { requireInstalled } from '../cluster/installed.ts'
import { isOurs } from '../cluster/ownership.ts'
import { portPods } from '../cluster/proxy.ts'
import { foreignObjects } from '../install/uninstall.ts'
import { changeSets, readSets } from './ledger.ts'
import { making } from './making.ts'
import { rollOut } from './roll-out.ts'
import { type Making, settleRef } from './settle.ts'

export type ClosePortResult = {
  readonly port: number
  /** The set it was in; null where it was not open. */
  readonly name: string | null
  readonly changed: boolean
  /** Objects of others in the gateway's namespace; they and the namespace stay. */
  readonly foreign: readonly string[]
}

/** Closes a port; the gateway, its rule and its namespace go with its last one. */
export async function closePort(
  ports: Ports,
  namespace: string,
  port: number,
  timeoutMs: number,
): Promise<ClosePortResult> {
  const { kube, report } = ports
  const { at, settings } = await requireInstalled(kube, namespace)
  const { before } = await changeSets(kube, at, (sets) => withoutPort(sets, port))
  const holder = setWith(before, port)
  // An earlier run that was interrupted may have left what is on no list any more.
  const names = holder === undefined ? await unlisted(ports, at) : [holder.name]
  const foreign: string[] = []
  const made = await making(ports, at, settings.revision)
  for (const name of names)
    foreign.push(
      ...(await report.step(`Close port ${port}`, (note) => settled(ports, at, name, { made, timeoutMs, note }))),
    )
  return { port, name: holder?.name ?? null, changed: holder !== undefined, foreign }
}

type How = { readonly made: Making; readonly timeoutMs: number; readonly note: (text: string) => void }

/** Makes the set follow the list, on which it may be still, or no more while its pods are replaced. */
async function settled(ports: Ports, at: Installation, name: string, how: How): Promise<readonly string[]> {
  try {
    if ((await readSets(ports.kube, at)).some((set) => set.name === name)) {
      await rollOut(ports, at, name, how.made, how.timeoutMs, how.note)
      return []
    }
  } catch (error) {
    if (!(error instanceof RegctlError) || error.code !== 'PORT_CLOSED') throw error
  }
  return removeSet(ports, at, name, how)
}

/** Sets that are closed and of which something is left. */
async function unlisted({ kube }: Ports, at: Installation): Promise<readonly string[]> {
  const [sets, left] = await Promise.all([
    readSets(kube, at),
    kube.list({ apiVersion: 'v1', kind: 'Namespace' }, { labelSelector: PORT_SET_LABEL }),
  ])
  return left
    .filter((object) => isOurs(object, at) && isPortNamespace(at, object.metadata.name))
    .flatMap((object) => setOf(object) ?? [])
    .filter((name) => !sets.some((set) => set.name === name))
}

/** What serves goes first, the rule about Gateways after the last pod. Gives what others have there. */
async function removeSet(
  ports: Ports,
  at: Installation,
  name: string,
  { made, timeoutMs, note }: How,
): Promise<readonly string[]> {
  const refs = [...setRefs(at, name)].reverse()
  const settle = async (wanted: (kind: string) => boolean) => {
    for (const ref of refs) if (wanted(ref.kind)) await settleRef(ports.kube, at, name, ref, made)
  }
  await settle((kind) => kind === 'DaemonSet')
  await podsGone(ports, at, name, timeoutMs, note)
  await settle((kind) => kind !== 'DaemonSet' && kind !== 'Namespace')
  const home = portNamespace(at, name)
  const foreign = await foreignObjects(ports.kube, at, [home])
  if (foreign.length > 0) return foreign.map(describeRef)
  // Its end takes the cluster a while, which nobody has to wait for: `open-port` does where it is wanted again.
  await settle((kind) => kind === 'Namespace')
  return []
}

async function podsGone(
  ports: Ports,
  at: Installation,
  name: string,
  timeoutMs: number,
  note: (text: string) => void,
): Promise<void> {
  const deadline = ports.clock.now() + timeoutMs
  for (;;) {
    const left = await portPods(ports, at, name)
    // Opened again meanwhile: they are meant to stay.
    if (left.length === 0 || (await readSets(ports.kube, at)).some((set) => set.name === name)) return
    note(`${left.length} pods end when their connections do`)
    if (ports.clock.now() >= deadline)
      throw clusterError(
        'PODS_STAY',
        `pod ${left[0]?.metadata?.namespace}/${left[0]?.metadata?.name} did not end in ${Math.round(timeoutMs / 1000)} s`,
        {
          suggestions: [
            'run the command again',
            `kubectl describe pod -n ${left[0]?.metadata?.namespace} ${left[0]?.metadata?.name}`,
          ],
        },
      )
    await ports.clock.sleep(400, ports.signal)
  }
}
