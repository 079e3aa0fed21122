import { theme } from './theme.ts'

type Problem = { readonly where: string; readonly what: string; readonly fix: string }

export const problemsText = (problems: readonly Problem[]): string =>
  problems
    .map(
      ({ where, what, fix }) => `${theme.bad('✖')} ${where}: ${what}\n  ${theme.faint('fix:')} ${theme.command(fix)}`,
    )
    .join('\n')
