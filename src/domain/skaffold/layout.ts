import type { CST } from 'yaml'
import { stringify } from 'yaml'

/** How a file indents. */
export type Layout = {
  /** Columns from a key to the keys below it. */
  readonly step: number
  /** Columns from a key to the dashes below it. */
  readonly dash: number
}

/** The habit of the first places that show one. */
export function layoutOf(roots: readonly (CST.Token | undefined)[]): Layout {
  const found: { step?: number; dash?: number } = {}
  for (const root of roots) if (root !== undefined) look(root, found)
  return { step: found.step ?? 2, dash: found.dash ?? 0 }
}

function look(token: CST.Token, found: { step?: number; dash?: number }): void {
  if (token.type !== 'block-map' && token.type !== 'block-seq') return
  for (const { value } of token.items) {
    if (value === undefined) continue
    if (token.type === 'block-map' && value.type === 'block-map') found.step ??= value.indent - token.indent
    if (token.type === 'block-map' && value.type === 'block-seq') found.dash ??= value.indent - token.indent
    look(value, found)
  }
}

// The last one quotes what older YAML reads as something else than text, such as `no`.
const OPTIONS = { lineWidth: 0, compat: 'yaml-1.1' } as const

/** The value as lines of a block that starts at column `indent`. */
export function blockLines(value: unknown, { step, dash }: Layout, indent: number): readonly string[] {
  const text = stringify(value, { ...OPTIONS, indent: step, indentSeq: dash > 0 })
  return text
    .trimEnd()
    .split('\n')
    .map((line) => ' '.repeat(indent) + line)
}

/** The value on one line, readable as JSON too because a flow file may be JSON. */
export function flowText(value: unknown): string {
  return stringify(value, {
    ...OPTIONS,
    collectionStyle: 'flow',
    defaultStringType: 'QUOTE_DOUBLE',
    defaultKeyType: 'QUOTE_DOUBLE',
  }).trimEnd()
}
