import { isAlias, isEmpty, isMap, isScalar, isSeq, type Node, pairOf, uneditable, type YamlText } from './yaml-text.ts'

/** One value that regctl adds: `key: value` in the map at the path `at`, or without `key` an item of the list there. */
export type Addition = {
  /** Which document of the file, from 0. */
  readonly document: number
  readonly at: readonly string[]
  readonly key?: string
  readonly value: unknown
}

/**
 * How to have `item` in the list at `path`, with the containers that are missing.
 * @throws conflict error NOT_EDITABLE where text cannot be added without changing what is there
 */
export function itemAddition(file: YamlText, document: number, path: readonly string[], item: unknown): Addition {
  const { contents, value, shared } = documentOf(file, document)
  let node: Node | null = contents
  let inherited: unknown = value
  const checkShared = (depth: number): void => {
    if ((isMap(node) || isSeq(node) || isScalar(node)) && node.anchor !== undefined && shared.has(node.anchor))
      throw uneditable(file, node, `${where(path, depth)} is used elsewhere too, by the alias *${node.anchor}`)
  }
  for (const [depth, key] of path.entries()) {
    checkShared(depth)
    if (isEmpty(node)) return nested(document, path, depth, item)
    if (!isMap(node)) throw uneditable(file, node, `${where(path, depth)} is not a map`)
    inherited = isRecord(inherited) ? inherited[key] : undefined
    const pair = pairOf(node, key)
    if (pair === undefined) {
      if (inherited !== undefined) throw uneditable(file, node, `${where(path, depth + 1)} comes from a merge key (<<)`)
      return nested(document, path, depth, item)
    }
    if (isAlias(pair.value)) throw uneditable(file, pair.value, `${where(path, depth + 1)} is an alias`)
    node = pair.value
  }
  checkShared(path.length)
  if (!isEmpty(node) && !isSeq(node)) throw uneditable(file, node, `${where(path, path.length)} is not a list`)
  return { document, at: path, value: item }
}

function nested(document: number, path: readonly string[], depth: number, item: unknown): Addition {
  const key = path[depth] ?? ''
  const value = path.slice(depth + 1).reduceRight<unknown>((inner, name) => ({ [name]: inner }), [item])
  return { document, at: path.slice(0, depth), key, value }
}

const where = (path: readonly string[], depth: number): string => path.slice(0, depth).join('.') || 'the document'

export const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

export function documentOf(file: YamlText, document: number): YamlText['documents'][number] {
  return file.documents[document] ?? { contents: null, value: null, shared: new Set() }
}

/** The node at a path, without following aliases; undefined when there is none. */
export function nodeAt(file: YamlText, document: number, path: readonly string[]): Node | null | undefined {
  let node: Node | null | undefined = documentOf(file, document).contents
  for (const key of path) node = isMap(node) ? pairOf(node, key)?.value : undefined
  return node
}
