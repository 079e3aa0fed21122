import type { RegctlError } from '../errors.ts'
import { stderrTheme as theme } from './theme.ts'

/** oclif's own printing breaks lines in the middle of a command to paste; this one never breaks any. */
export function errorText(error: RegctlError): string {
  const lines = [`${theme.bad('Error:')} ${error.message}`]
  lines.push(`${theme.faint('Code:')} ${error.code}`)
  if (error.suggestions.length === 1) lines.push(`${theme.faint('Try:')} ${theme.command(error.suggestions[0] ?? '')}`)
  if (error.suggestions.length > 1) {
    lines.push(theme.faint('Try:'), ...error.suggestions.map((text) => `  ${theme.command(text)}`))
  }
  return lines.join('\n')
}

/** Everything a report of a bug needs, ready to copy. */
export function bugText(error: Error, about: { readonly version: string; readonly argv: readonly string[] }): string {
  return [
    `${theme.bad('Error:')} ${error.stack ?? error.message}`,
    '',
    'This is a bug in regctl. Please report it with the lines above and these:',
    `  regctl ${about.version}, Node ${process.versions.node}, ${process.platform} ${process.arch}`,
    `  regctl ${about.argv.join(' ')}`,
  ].join('\n')
}
