import { DefaultRenderer, Listr, ListrLogger, ProcessOutput } from 'listr2'
import type { Reporter } from '../ports.ts'
import { stderrTheme as theme } from './theme.ts'

export type ReporterOptions = {
  /** No progress at all, as `--json` wants it; warnings stay. */
  readonly quiet: boolean
  readonly stream?: NodeJS.WriteStream
}

export function reporter({ quiet, stream = process.stderr }: ReporterOptions): Reporter {
  if (quiet) return quietReporter(stream)
  // A terminal that does not know its width (some CI systems) would get one letter a line.
  return stream.isTTY && stream.columns > 20 ? liveReporter(stream) : plainReporter(stream)
}

function quietReporter(stream: NodeJS.WriteStream): Reporter {
  return {
    step: (_title, run) => run(() => {}),
    info: () => {},
    warn: (text) => void stream.write(warning(text)),
  }
}

/** One line when a step starts, one per new note, one when it ends: what a CI log wants. */
function plainReporter(stream: NodeJS.WriteStream): Reporter {
  return {
    async step(title, run) {
      let last = ''
      stream.write(`${theme.faint('›')} ${title}\n`)
      try {
        const result = await run((text) => {
          if (text !== last) stream.write(`    ${theme.faint(text)}\n`)
          last = text
        })
        stream.write(`${theme.good('✔')} ${title}\n`)
        return result
      } catch (error) {
        stream.write(`${theme.bad('✖')} ${title}\n`)
        throw error
      }
    },
    info: (text) => void stream.write(`${text}\n`),
    warn: (text) => void stream.write(warning(text)),
  }
}

/**
 * A spinner for the step that runs. Each step is a list of its own, so that the part redrawn stays a line or two:
 * listr2 repeats lines when a list is taller than the terminal (https://github.com/listr2/listr2/issues/296).
 */
function liveReporter(stream: NodeJS.WriteStream): Reporter {
  let noteOfOuter: ((text: string) => void) | undefined
  const held: string[] = []
  // Nothing else may write while listr2 redraws, so remarks wait for the end of the step.
  const say = (text: string): void => void (noteOfOuter === undefined ? stream.write(text) : held.push(text))
  return {
    async step(title, run) {
      if (noteOfOuter !== undefined) {
        const outer = noteOfOuter
        outer(title)
        return run((text) => outer(`${title}: ${text}`))
      }
      let outcome: { readonly value: Awaited<ReturnType<typeof run>> } | undefined
      const list = new Listr<undefined, typeof LiveRenderer>(
        {
          title,
          task: async (_context, task) => {
            noteOfOuter = (text) => {
              task.output = text
            }
            outcome = { value: await run(noteOfOuter) }
          },
        },
        {
          renderer: LiveRenderer,
          // Signals are the command's business; listr2 would end the process.
          registerSignalListeners: false,
          // The command prints the error; below the step it would stand twice.
          rendererOptions: { logger: stderrLogger(stream), showErrorMessage: false, collapseErrors: false },
        },
      )
      try {
        await list.run()
      } finally {
        noteOfOuter = undefined
        for (const text of held.splice(0)) stream.write(text)
      }
      if (outcome === undefined) throw new Error(`step "${title}" ended without a result`)
      return outcome.value
    },
    info: (text) => say(`${text}\n`),
    warn: (text) => say(warning(text)),
  }
}

/** listr2 11 asks whether stdout is a terminal, and takes another renderer, on stdout, when it is not. */
class LiveRenderer extends DefaultRenderer {
  static override nonTTY = true
}

/** listr2 draws on stdout, which is for data. */
function stderrLogger(stream: NodeJS.WriteStream): ListrLogger {
  return new ListrLogger({ processOutput: new ProcessOutput(stream, stream) })
}

const warning = (text: string): string => `${theme.caution('Warning:')} ${text}\n`
