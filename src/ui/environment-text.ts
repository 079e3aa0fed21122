import { quoted } from '../domain/shell-word.ts'

type Note = { readonly client: string; readonly needs: string; readonly ran: boolean }

export const SHELLS = ['sh', 'fish', 'powershell'] as const
export type Shell = (typeof SHELLS)[number]

const SET: Readonly<Record<Shell, (name: string, value: string) => string>> = {
  sh: (name, value) => `export ${name}=${quoted(value)}`,
  fish: (name, value) => `set -gx ${name} '${value.replaceAll(/['\\]/g, String.raw`\$&`)}'`,
  powershell: (name, value) => `$Env:${name} = '${value.replaceAll("'", "''")}'`,
}

/** To be evaluated; what is no variable is a comment. */
export function environmentText(
  shell: Shell,
  variables: Readonly<Record<string, string>>,
  notes: readonly Note[],
): string {
  const settings = Object.entries(variables).map(([name, value]) => SET[shell](name, value))
  const comments = notes.map(
    ({ client, needs, ran }) => `# ${client}${ran ? '' : ' (not run, from its documentation)'}: ${needs}`,
  )
  return [...settings, ...comments].join('\n')
}
