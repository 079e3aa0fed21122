import type { CST } from 'yaml'

type Item = CST.BlockMap['items'][number] | CST.BlockSequence['items'][number] | CST.FlowCollection['items'][number]

const TRIVIA = new Set(['space', 'comment', 'newline', 'comma'])

/** Where the token's own text ends; comments and blank lines after it are not its own. */
export function endOfToken(token: CST.Token): number | undefined {
  switch (token.type) {
    case 'block-map':
    case 'block-seq':
      return endOfItems(token.items)
    case 'flow-collection': {
      const close = token.end.find(({ type }) => type === 'flow-seq-end' || type === 'flow-map-end')
      return close === undefined ? undefined : close.offset + close.source.length
    }
    case 'block-scalar': {
      const header = token.props.map((part) => ('source' in part ? part.source : '')).join('')
      const start = token.offset + header.length
      // With `+` in the header blank lines at the end belong to the text; otherwise they are layout.
      const source = /[|>]\d?\+/.test(header) ? token.source : token.source.trimEnd()
      return source === '' ? start - (/\r?\n$/.exec(header)?.[0].length ?? 0) : start + source.length
    }
    case 'alias':
    case 'scalar':
    case 'single-quoted-scalar':
    case 'double-quoted-scalar':
      return token.source === '' ? undefined : token.offset + token.source.length
    default:
      return undefined
  }
}

function endOfItems(items: readonly Item[]): number | undefined {
  for (const item of items.toReversed()) {
    const end = endOfItem(item)
    if (end !== undefined) return end
  }
  return undefined
}

/** A parser leaves an item of comments alone behind the last one; that has no end. */
export function endOfItem(item: Item): number | undefined {
  return (
    (item.value === undefined ? undefined : endOfToken(item.value)) ??
    endOfParts(item.sep) ??
    (item.key === undefined || item.key === null ? undefined : endOfToken(item.key)) ??
    endOfParts(item.start)
  )
}

function endOfParts(parts: readonly CST.SourceToken[] | undefined): number | undefined {
  const last = parts?.findLast(({ type }) => !TRIVIA.has(type))
  return last === undefined ? undefined : last.offset + last.source.length
}

export const lineStart = (text: string, offset: number): number =>
  offset === 0 ? 0 : text.lastIndexOf('\n', offset - 1) + 1

/** The start of the next line, or the end of the text. */
export function nextLine(text: string, offset: number): number {
  const end = text.indexOf('\n', offset)
  return end === -1 ? text.length : end + 1
}

/** Skips comments that are deeper than `indent`: they belong to what stands above them. */
export function afterComments(text: string, from: number, indent: number): number {
  let end = from
  for (let at = from; at < text.length; ) {
    const next = nextLine(text, at)
    const line = text.slice(at, next)
    const depth = line.search(/\S/)
    if (depth >= 0 && (line[depth] !== '#' || depth <= indent)) break
    if (depth >= 0) end = next
    at = next
  }
  return end
}

/** The line end used at `offset`: that of the line before, else that of the file, else a line feed. */
export function lineEndAt(text: string, offset: number): string {
  const before = offset === 0 ? -1 : text.lastIndexOf('\n', offset - 1)
  const at = before === -1 ? text.indexOf('\n') : before
  return at > 0 && text[at - 1] === '\r' ? '\r\n' : '\n'
}
