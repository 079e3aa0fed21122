import { createInterface } from 'node:readline/promises'
import { usageError } from '../errors.ts'

/**
 * Asks on the terminal; anything but yes is no.
 * @throws usage error NEEDS_YES where there is no terminal to ask on
 */
export async function confirm(
  question: string,
  signal: AbortSignal,
  suggestions: readonly string[] = ['add --yes, to go on without asking'],
): Promise<boolean> {
  if (!process.stdin.isTTY || !process.stderr.isTTY)
    throw usageError('NEEDS_YES', 'nothing was changed: there is no terminal to ask on', {
      suggestions,
    })
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  // Ctrl-C in a question is the command's to handle.
  terminal.on('SIGINT', () => process.kill(process.pid, 'SIGINT'))
  try {
    return /^y(es)?$/i.test((await terminal.question(`${question} [y/N] `, { signal })).trim())
  } finally {
    terminal.close()
  }
}
