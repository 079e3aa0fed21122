import { stripVTControlCharacters } from 'node:util'

/** Columns padded to their widest cell; the last one is left as it is, so lines end without spaces. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [head, ...rows]
  const widths = head.map((_, column) => Math.max(...lines.map((line) => width(line[column] ?? ''))))
  return lines
    .map((line) =>
      head
        .map((_, column) => {
          const cell = line[column] ?? ''
          return column === head.length - 1 ? cell : cell + ' '.repeat((widths[column] ?? 0) - width(cell))
        })
        .join('   ')
        .trimEnd(),
    )
    .join('\n')
}

/** Colours take no room. */
const width = (cell: string): number => stripVTControlCharacters(cell).length
