import type { CST } from 'yaml'
import { type Addition, documentOf, nodeAt } from './addition.ts'
import { blockLines, flowText, type Layout, layoutOf } from './layout.ts'
import { afterComments, endOfItem, endOfToken, lineEndAt, nextLine } from './places.ts'
import {
  isEmpty,
  isMap,
  isSeq,
  type Node,
  pairOf,
  parseYaml,
  uneditable,
  type YAMLMap,
  type YamlText,
} from './yaml-text.ts'

type Insertion = { readonly offset: number; readonly text: string }

/** The file with the additions put in, one after the other; every byte that was there stays, in its order. */
export function insertAll(file: YamlText, additions: readonly Addition[]): string {
  let current = file
  for (const addition of additions) {
    const { offset, text } = insertion(current, addition)
    current = parseYaml(file.name, current.text.slice(0, offset) + text + current.text.slice(offset))
  }
  return current.text
}

function insertion(file: YamlText, addition: Addition): Insertion {
  const node = nodeAt(file, addition.document, addition.at)
  if (isEmpty(node)) return addition.at.length === 0 ? inEmptyFile(file, addition) : belowEmptyKey(file, addition)
  if (!isMap(node) && !isSeq(node)) throw uneditable(file, node, `${addition.at.join('.')} is neither a map nor a list`)
  const token = node.srcToken
  if (token?.type === 'flow-collection') return inFlow(token, addition)
  if (token?.type !== 'block-map' && token?.type !== 'block-seq')
    throw uneditable(file, node, `${addition.at.join('.')} is written in a way regctl does not edit`)
  const end = endOfToken(token)
  if (end === undefined) throw uneditable(file, node, `${addition.at.join('.')} is empty`)
  return block(file, addition, end, token.indent)
}

/** Lines of their own behind the container's last one. */
function block(file: YamlText, addition: Addition, end: number, indent: number): Insertion {
  const { text } = file
  const atLineStart = end > 0 && text[end - 1] === '\n'
  const offset = afterComments(text, atLineStart ? end : nextLine(text, end), indent)
  if (offset === text.length && !text.endsWith('\n') && endsInBlockScalar(file))
    throw uneditable(file, null, 'the file ends in a block of text without a line end, which more lines would change')
  return lines(file, addition, offset, indent)
}

function lines(file: YamlText, addition: Addition, offset: number, indent: number): Insertion {
  const { key, value } = addition
  const { text } = file
  const eol = lineEndAt(text, offset)
  const layout = layoutAt(file, addition)
  const block = blockLines(key === undefined ? [value] : { [key]: value }, layout, indent).join(eol)
  const open = offset > 0 && text[offset - 1] !== '\n' && text !== '\uFEFF'
  return { offset, text: open ? eol + block : block + eol }
}

/** As around the place itself, else as anywhere in the file. */
const layoutAt = (file: YamlText, { document, at }: Addition): Layout =>
  layoutOf(
    [
      nodeAt(file, document, at),
      nodeAt(file, document, at.slice(0, -1)),
      ...file.documents.map(({ contents }) => contents),
    ].map((node) => node?.srcToken as CST.Token | undefined),
  )

function inEmptyFile(file: YamlText, addition: Addition): Insertion {
  if (file.documents.length > 1) throw uneditable(file, null, 'the file holds more than one document')
  return lines(file, addition, file.text.length, 0)
}

/** `profiles:` with nothing behind it. */
function belowEmptyKey(file: YamlText, addition: Addition): Insertion {
  const parent = nodeAt(file, addition.document, addition.at.slice(0, -1))
  const name = addition.at.at(-1) ?? ''
  const token = isMap(parent) && parent.srcToken?.type === 'block-map' ? parent.srcToken : undefined
  const item = isMap(parent)
    ? token?.items.find(({ key }) => key !== undefined && key === keyToken(parent, name))
    : undefined
  const end = item === undefined ? undefined : endOfItem(item)
  if (token === undefined || end === undefined)
    throw uneditable(file, parent, `${addition.at.join('.')} has no value and is not written as a block`)
  const layout = layoutAt(file, addition)
  const indent = token.indent + (addition.key === undefined ? layout.dash : layout.step)
  return lines(file, addition, nextLine(file.text, end), indent)
}

const keyToken = (map: YAMLMap, name: string): CST.Token | undefined =>
  (pairOf(map, name)?.key as Node | undefined)?.srcToken as CST.Token | undefined

/** Right behind the last item, so that a comma at the end and the layout of the bracket stay as they are. */
function inFlow(token: CST.FlowCollection, { key, value }: Addition): Insertion {
  const text =
    key === undefined
      ? flowText(value)
      : flowText({ [key]: value })
          .slice(1, -1)
          .trim()
  const ends = token.items.map(endOfItem).filter((end) => end !== undefined)
  const last = ends.at(-1)
  if (last === undefined) return { offset: token.start.offset + 1, text }
  // Past a comma at the end of a `start` there is no item.
  return { offset: last, text: `, ${text}` }
}

function endsInBlockScalar(file: YamlText): boolean {
  const last = documentOf(file, file.documents.length - 1).contents?.srcToken as CST.Token | undefined
  let token = last
  while (token?.type === 'block-map' || token?.type === 'block-seq')
    token = token.items.findLast((item) => endOfItem(item) !== undefined)?.value
  return token?.type === 'block-scalar'
}
