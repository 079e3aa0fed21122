import { theme } from './theme.ts'

type Problem = { readonly where: string; readonly what: string; readonly fix: string }

export const problemsText = (problems: readonly Problem[]): string =>
  faultsText(problems.map(({ where, what, fix }) => ({ what: `${where}: ${what}`, fix })))

/** The same where `what` says where. */
export const faultsText = (faults: readonly { readonly what: string; readonly fix: string }[]): string =>
  faults.map(({ what, fix }) => `${theme.bad('✖')} ${what}\n  ${theme.faint('fix:')} ${theme.command(fix)}`).join('\n')

/** What `skaffold-init --check` found. */
export const checkText = ({ problems, ways }: { problems: readonly Problem[]; ways: readonly string[] }): string =>
  [problems.length === 0 ? 'Skaffold works here.' : problemsText(problems), ...ways].join('\n')
