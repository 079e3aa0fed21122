import { theme } from './theme.ts'

type Problem = { readonly where: string; readonly what: string; readonly fix: string }

export const problemsText = (problems: readonly Problem[]): string =>
  problems
    .map(
      ({ where, what, fix }) => `${theme.bad('✖')} ${where}: ${what}\n  ${theme.faint('fix:')} ${theme.command(fix)}`,
    )
    .join('\n')

/** What `skaffold-init --check` found. */
export const checkText = ({ problems, ways }: { problems: readonly Problem[]; ways: readonly string[] }): string =>
  [problems.length === 0 ? 'Skaffold works here.' : problemsText(problems), ...ways].join('\n')
