import { createTwoFilesPatch } from 'diff'
import { stringify } from 'yaml'
import { describeRef, type KubeObject, refOf } from '../domain/kube-object.ts'
import type { Change } from '../domain/plan.ts'

const yaml = (object: KubeObject | undefined): string =>
  object === undefined ? '' : stringify(object, { lineWidth: 0 })

/** A plan as a unified diff of YAML, one file an object; empty when nothing changes. */
export function planText(changes: readonly Change[], surplus: readonly KubeObject[]): string {
  const parts = changes
    .filter(({ action }) => action !== 'unchanged')
    .map(({ ref, before, after }) => fileDiff(describeRef(ref), before, after))
  return [...parts, ...surplus.map((object) => fileDiff(describeRef(refOf(object)), object, undefined))].join('\n')
}

function fileDiff(name: string, before: KubeObject | undefined, after: KubeObject | undefined): string {
  const label = (object: KubeObject | undefined) => (object === undefined ? '/dev/null' : name)
  return createTwoFilesPatch(label(before), label(after), yaml(before), yaml(after), '', '', { context: 3 }).replace(
    /^(Index: .*\n)?=+\n/,
    '',
  )
}
