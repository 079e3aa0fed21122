import { isDeepStrictEqual } from 'node:util'
import type { CST } from 'yaml'
import { conflictError } from '../../errors.ts'
import { type Addition, isRecord, nodeAt } from './addition.ts'
import { endOfItem, lineStart, nextLine } from './places.ts'
import { isMap, isSeq, type Node, pairOf, parseYaml, type YAMLMap, type YAMLSeq, type YamlText } from './yaml-text.ts'

/** Keys that tell which item of a list one means, although the rest of it has changed. */
const IDENTITY = ['name', 'kube-context']

/**
 * The file without the additions, found by what they say and not by where they were put: it may have been edited or
 * written anew since. What is gone already is not missed.
 * @throws conflict error CHANGED_SINCE where somebody changed what regctl added
 */
export function removeAll(file: YamlText, additions: readonly Addition[]): string {
  let current = file
  for (const addition of additions.toReversed()) {
    for (const step of stepsFor(current, addition).toReversed()) current = parseYaml(file.name, cut(current, step))
  }
  return current.text
}

/** A pair or an item to take out, whole. */
type Step =
  | { readonly document: number; readonly at: readonly (string | number)[]; readonly key: string }
  | { readonly document: number; readonly at: readonly (string | number)[]; readonly index: number }

function stepsFor(file: YamlText, addition: Addition): readonly Step[] {
  const { document, at, key, value } = addition
  const container = nodeAt(file, document, at)
  const js = valueAt(file, document, at)
  if (key !== undefined) return isMap(container) ? pairSteps(file, document, at, js, key, value) : []
  return isSeq(container) && Array.isArray(js) ? itemSteps(file, document, at, js, value) : []
}

type Path = readonly (string | number)[]

function pairSteps(file: YamlText, document: number, at: Path, js: unknown, key: string, ours: unknown): Step[] {
  const now = isRecord(js) ? js[key] : undefined
  if (now === undefined) return []
  if (isDeepStrictEqual(now, ours)) return [{ document, at, key }]
  const path = [...at, key]
  if (Array.isArray(now) && Array.isArray(ours))
    return ours.flatMap((item) => itemSteps(file, document, path, now, item))
  if (isRecord(now) && isRecord(ours))
    return Object.entries(ours).flatMap(([name, value]) => pairSteps(file, document, path, now, name, value))
  throw changed(file, path.join('.'))
}

function itemSteps(file: YamlText, document: number, at: Path, js: readonly unknown[], ours: unknown): Step[] {
  const index = js.findLastIndex((item) => isDeepStrictEqual(item, ours))
  if (index >= 0) return [{ document, at, index }]
  if (!isRecord(ours)) return []
  const identity = IDENTITY.find((key) => key in ours)
  const same = js.findLastIndex((item) => isRecord(item) && identity !== undefined && item[identity] === ours[identity])
  if (same < 0) return []
  const name = `${at.join('.')} "${String(ours[identity ?? ''])}"`
  const now = js[same] as Readonly<Record<string, unknown>>
  const kept = Object.entries(ours).every(([key, value]) => isDeepStrictEqual(now[key], value))
  if (!kept) throw changed(file, name)
  // Somebody added to it: that stays, with the name it needs.
  return Object.keys(ours)
    .filter((key) => key !== identity)
    .map((key) => ({ document, at: [...at, same], key }))
}

const changed = (file: YamlText, what: string) =>
  conflictError('CHANGED_SINCE', `${what} in ${file.name} is no longer as regctl wrote it`, {
    suggestions: [`take it out of ${file.name} by hand, or bring it back with git, then run this again`],
  })

function valueAt(file: YamlText, document: number, at: readonly string[]): unknown {
  return at.reduce<unknown>((value, key) => (isRecord(value) ? value[key] : undefined), file.documents[document]?.value)
}

function nodeFor(file: YamlText, document: number, at: Path): Node | null | undefined {
  let node: Node | null | undefined = file.documents[document]?.contents
  for (const key of at) {
    if (typeof key === 'number') node = isSeq(node) ? (node.items[key] as Node | undefined) : undefined
    else node = isMap(node) ? pairOf(node, key)?.value : undefined
  }
  return node
}

function cut(file: YamlText, step: Step): string {
  const container = nodeFor(file, step.document, step.at)
  const token = (container as YAMLMap | YAMLSeq | null | undefined)?.srcToken
  const pair = 'key' in step && isMap(container) ? pairOf(container, step.key) : undefined
  const index = 'index' in step ? step.index : ((container as YAMLMap).items as readonly unknown[]).indexOf(pair)
  if (token?.type === 'flow-collection') return cutFlow(file.text, token, index)
  const item = token?.type === 'block-map' || token?.type === 'block-seq' ? token.items[index] : undefined
  const end = item === undefined ? undefined : endOfItem(item)
  if (token === undefined || item === undefined || end === undefined) throw changed(file, step.at.join('.'))
  return cutLines(file, startOf(item), end, step.at.join('.'))
}

const startOf = (item: CST.BlockMap['items'][number] | CST.BlockSequence['items'][number]): number => {
  const first = item.start.find(({ type }) => type !== 'space' && type !== 'newline' && type !== 'comment')
  return first?.offset ?? (item.key as CST.Token | undefined)?.offset ?? item.value?.offset ?? 0
}

function cutLines(file: YamlText, start: number, end: number, what: string): string {
  const { text } = file
  const from = lineStart(text, start)
  if (/[^\s\uFEFF]/.test(text.slice(from, start))) throw changed(file, what)
  const mark = text[from] === '\uFEFF' ? 1 : 0
  const to = text[end - 1] === '\n' ? end : nextLine(text, end)
  // At the end of a file without a last line end, ours began with one.
  const open = to === text.length && !text.endsWith('\n')
  const kept = text.slice(0, from + mark)
  const before = open ? kept.replace(/\r?\n$/, '') : kept
  return before + text.slice(to)
}

function cutFlow(text: string, token: CST.FlowCollection, index: number): string {
  const items = token.items.filter((item) => endOfItem(item) !== undefined)
  const item = items[index]
  const end = item === undefined ? undefined : endOfItem(item)
  if (item === undefined || end === undefined) throw new Error('no such item in the flow collection')
  const before = items[index - 1]
  if (before !== undefined) return text.slice(0, endOfItem(before)) + text.slice(end)
  const after = items[index + 1]
  const to = after === undefined ? end : ((after.key as CST.Token | undefined)?.offset ?? after.value?.offset ?? end)
  return text.slice(0, token.start.offset + 1) + text.slice(to)
}
