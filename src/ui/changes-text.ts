import { createTwoFilesPatch } from 'diff'
import { theme } from './theme.ts'

type Change = { readonly name: string; readonly before: string | undefined; readonly after: string }

/** A unified diff of the files, as git would show it; empty when nothing changes. */
export function changesText(changes: readonly Change[]): string {
  return changes
    .filter(({ before, after }) => after !== (before ?? ''))
    .map(({ name, before, after }) =>
      createTwoFilesPatch(before === undefined ? '/dev/null' : name, name, before ?? '', after, '', '', { context: 3 })
        .replace(/^(Index: .*\n)?=+\n/, '')
        .trimEnd()
        .split('\n')
        .map(coloured)
        .join('\n'),
    )
    .join('\n')
}

function coloured(line: string): string {
  if (line.startsWith('+')) return theme.good(line)
  if (line.startsWith('-')) return theme.bad(line)
  return line.startsWith('@') ? theme.faint(line) : line
}
