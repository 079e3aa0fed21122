import type { Installation } from '../../domain/installation.ts'
import { describeRef, type KubeObject, refOf } from '../../domain/kube-object.ts'
import type { Ports } from '../../ports.ts'
import { foreignObjects, namespacesGone } from './uninstall.ts'

/** Removes what is no longer wanted, and gives its names. */
export async function prune(
  ports: Ports,
  at: Installation,
  surplus: readonly KubeObject[],
  timeoutMs: number,
): Promise<readonly string[]> {
  const removed: string[] = []
  const isRule = (object: KubeObject) => object.apiVersion.startsWith('admissionregistration')
  // What serves goes first, then its namespace, and what protects it while it ends last.
  const inOrder = [...surplus].reverse().sort((one, other) => Number(isRule(one)) - Number(isRule(other)))
  for (const object of inOrder) {
    if (object.kind === 'Namespace' && !(await isEmpty(ports, at, object.metadata.name))) continue
    await ports.kube.remove(refOf(object))
    removed.push(describeRef(refOf(object)))
    if (object.kind === 'Namespace') await namespacesGone(ports, [object.metadata.name], removed, timeoutMs)
  }
  return removed
}

async function isEmpty({ kube, report }: Ports, at: Installation, namespace: string): Promise<boolean> {
  const left = await foreignObjects(kube, at, [namespace])
  if (left.length === 0) return true
  report.warn(`Left: Namespace ${namespace}, which holds ${left.map(describeRef).join(', ')}`)
  return false
}
