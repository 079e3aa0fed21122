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

/** A spinner for the step that runs; steps within it are its notes. */
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
      // What draws is loaded for the first step: commands without any start without it.
      const { drawStep } = await import('./live-step.ts')
      try {
        return await drawStep(stream, title, (note) => {
          noteOfOuter = note
          return run(note)
        })
      } finally {
        noteOfOuter = undefined
        for (const text of held.splice(0)) stream.write(text)
      }
    },
    info: (text) => say(`${text}\n`),
    warn: (text) => say(warning(text)),
  }
}

const warning = (text: string): string => `${theme.caution('Warning:')} ${text}\n`
