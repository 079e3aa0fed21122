import type { Finding } from '../app/inspect/doctor.ts'
import { theme } from './theme.ts'

const MARK = { ok: theme.good('✔'), note: theme.caution('•'), problem: theme.bad('✖') } as const

export function findingsText(findings: readonly Finding[]): string {
  return findings
    .map(
      ({ level, what, fix }) =>
        `${MARK[level]} ${what}${fix === undefined ? '' : `\n  ${theme.faint('fix:')} ${theme.command(fix)}`}`,
    )
    .join('\n')
}
