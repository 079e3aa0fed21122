import { DefaultRenderer, Listr, ListrLogger, ProcessOutput } from 'listr2'

/**
 * A spinner while it runs. Each step is a list of its own, so that the part redrawn stays a line or two: listr2 repeats lines
 * when a list is taller than the terminal (https://github.com/listr2/listr2/issues/296).
 */
export async function drawStep<T>(
  stream: NodeJS.WriteStream,
  title: string,
  run: (note: (text: string) => void) => Promise<T>,
): Promise<T> {
  let outcome: { readonly value: T } | undefined
  const list = new Listr<undefined, typeof LiveRenderer>(
    {
      title,
      task: async (_context, task) => {
        const note = (text: string): void => {
          task.output = text
        }
        outcome = { value: await run(note) }
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
  await list.run()
  if (outcome === undefined) throw new Error(`step "${title}" ended without a result`)
  return outcome.value
}

/** listr2 11 asks whether stdout is a terminal, and takes another renderer, on stdout, when it is not. */
class LiveRenderer extends DefaultRenderer {
  static override nonTTY = true
}

/** listr2 draws on stdout, which is for data. */
function stderrLogger(stream: NodeJS.WriteStream): ListrLogger {
  return new ListrLogger({ processOutput: new ProcessOutput(stream, stream) })
}
