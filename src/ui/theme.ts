import { Chalk, type ChalkInstance, supportsColor, supportsColorStderr } from 'chalk'

export type Theme = {
  readonly good: (text: string) => string
  readonly bad: (text: string) => string
  readonly caution: (text: string) => string
  readonly strong: (text: string) => string
  readonly faint: (text: string) => string
  readonly command: (text: string) => string
}

/** chalk 6 looks at FORCE_COLOR and the terminal, not at https://no-color.org. */
function themeFor(support: { readonly level: number } | false): Theme {
  const plain = Boolean(process.env.NO_COLOR) || support === false
  const chalk: ChalkInstance = new Chalk({ level: plain ? 0 : (support.level as 0 | 1 | 2 | 3) })
  return {
    good: (text) => chalk.green(text),
    bad: (text) => chalk.red(text),
    caution: (text) => chalk.yellow(text),
    strong: (text) => chalk.bold(text),
    faint: (text) => chalk.dim(text),
    command: (text) => chalk.cyan(text),
  }
}

/** For what goes to stdout. */
export const theme: Theme = themeFor(supportsColor)
/** For what goes to stderr. */
export const stderrTheme: Theme = themeFor(supportsColorStderr)
