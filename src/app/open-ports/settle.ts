import type { Installation } from '../../domain/installation.ts'
import { type ObjectRef, refKey, refOf } from '../../domain/kube-object.ts'
import type { Injection } from '../../domain/open-ports/gateway-set.ts'
import { setObjects, setRefs } from '../../domain/open-ports/set-objects.ts'
import type { Kube } from '../../ports.ts'
import { settleObject } from '../cluster/settle.ts'
import { readSets } from './ledger.ts'

/** What sets are made with, besides what is on their list. */
export type Making = { readonly injection: Injection; readonly admissionPolicies: boolean }

/** Makes one object follow the list of open ports, as it is in that moment. */
export const settleRef = (
  kube: Kube,
  at: Pick<Installation, 'namespace'>,
  name: string,
  ref: ObjectRef,
  { injection, admissionPolicies }: Making,
): Promise<void> =>
  settleObject(
    kube,
    ref,
    async () => {
      const set = (await readSets(kube, at)).find((one) => one.name === name)
      const objects = set === undefined ? [] : setObjects(at, set, injection, admissionPolicies)
      return objects.find((object) => refKey(refOf(object)) === refKey(ref))
    },
    'apply',
  )

/** Applies a set that is open; false where it is not. */
export async function settleSet(
  kube: Kube,
  at: Pick<Installation, 'namespace'>,
  name: string,
  making: Making,
): Promise<boolean> {
  const isOpen = async () => (await readSets(kube, at)).some((set) => set.name === name)
  if (!(await isOpen())) return false
  for (const ref of setRefs(at, name)) await settleRef(kube, at, name, ref, making)
  return isOpen()
}
