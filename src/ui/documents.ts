import { stringify } from 'yaml'
import type { KubeObject } from '../domain/kube-object.ts'

/** Objects as YAML documents. */
export function documents(objects: readonly KubeObject[]): string {
  return objects.map((object) => stringify(object, { lineWidth: 0 }).trimEnd()).join('\n---\n')
}
