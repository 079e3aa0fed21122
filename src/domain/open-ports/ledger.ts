import { type Installation, ownerLabels } from '../installation.ts'
import type { KubeObject, ObjectRef } from '../kube-object.ts'
import { PORT_SET_LABEL } from './place.ts'
import type { PortSet } from './port-set.ts'

const KEY = 'sets.json'

/** One object with all sets, because a port is open in one of them at most, whoever opens it in the same moment. */
export const ledgerRef = ({ namespace }: Pick<Installation, 'namespace'>): ObjectRef => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  namespace,
  name: 'open-ports',
})

export const ledgerObject = (at: Pick<Installation, 'namespace'>, sets: readonly PortSet[]): KubeObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'open-ports', namespace: at.namespace, labels: { ...ownerLabels(at), [PORT_SET_LABEL]: '' } },
  data: { [KEY]: JSON.stringify(sets) },
})

/** Undefined where it does not hold what regctl wrote. */
export function setsIn(ledger: KubeObject | undefined): readonly PortSet[] | undefined {
  if (ledger === undefined) return []
  try {
    const sets: unknown = JSON.parse((ledger.data as Readonly<Record<string, string>> | undefined)?.[KEY] ?? '')
    return Array.isArray(sets) ? (sets as PortSet[]) : undefined
  } catch {
    return undefined
  }
}
