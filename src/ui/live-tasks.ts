import { DefaultRenderer, Listr, ListrLogger, ProcessOutput } from 'listr2'
import type { Reporter } from '../ports.ts'
import { warning } from './warning.ts'

/**
 * A spinner for the step that runs. Each step is a list of its own, so that the part redrawn stays a line or two:
 * listr2 repeats lines when a list is taller than the terminal (https://github.com/listr2/listr2/issues/296).
 */
export function liveReporter(stream: NodeJS.WriteStream): Reporter {
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
