import { isDeepStrictEqual } from 'node:util'
import type { Installation } from '../../domain/installation.ts'
import { describeRef, type KubeObject } from '../../domain/kube-object.ts'
import { ledgerObject, ledgerRef, setsIn } from '../../domain/open-ports/ledger.ts'
import type { PortSet } from '../../domain/open-ports/port-set.ts'
import { clusterError } from '../../errors.ts'
import type { Kube } from '../../ports.ts'
import { isOurs } from '../cluster/ownership.ts'
import { settleObject } from '../cluster/settle.ts'

type Home = Pick<Installation, 'namespace'>

/** The open ports, by set. @throws cluster error STATE_UNREADABLE */
export async function readSets(kube: Kube, at: Home): Promise<readonly PortSet[]> {
  return readable(at, await kube.get(ledgerRef(at)))
}

/** Changes them by what they are when they are written; gives what they were and are. */
export async function changeSets(
  kube: Kube,
  at: Home,
  change: (sets: readonly PortSet[]) => readonly PortSet[],
): Promise<{ readonly before: readonly PortSet[]; readonly after: readonly PortSet[] }> {
  let done: { before: readonly PortSet[]; after: readonly PortSet[] } = { before: [], after: [] }
  await settleObject(kube, ledgerRef(at), async (ledger) => {
    const before = readable(at, ledger)
    done = { before, after: change(before) }
    // Nothing to write where nothing was and nothing is to be.
    return ledger === undefined && isDeepStrictEqual(done.before, done.after) ? undefined : ledgerObject(at, done.after)
  })
  return done
}

function readable(at: Home, ledger: KubeObject | undefined): readonly PortSet[] {
  const sets = ledger !== undefined && !isOurs(ledger, at) ? undefined : setsIn(ledger)
  if (sets !== undefined) return sets
  const ref = ledgerRef(at)
  throw clusterError('STATE_UNREADABLE', `${describeRef(ref)} does not hold what regctl open-port was given`, {
    suggestions: [`kubectl delete configmap -n ${ref.namespace} ${ref.name}, then open the ports again`],
  })
}
