import type { Reporter } from '../ports.ts'
import { stderrTheme as theme } from './theme.ts'
import { warning } from './warning.ts'

export type ReporterOptions = {
  /** No progress at all, as `--json` wants it; warnings stay. */
  readonly quiet: boolean
  readonly stream?: NodeJS.WriteStream
}

export function reporter({ quiet, stream = process.stderr }: ReporterOptions): Reporter {
  if (quiet) return quietReporter(stream)
  // A terminal that does not know its width (some CI systems) would get one letter a line.
  return stream.isTTY && stream.columns > 20 ? lazyReporter(stream) : plainReporter(stream)
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

/** What draws is loaded for the first step: commands without any start without it. */
function lazyReporter(stream: NodeJS.WriteStream): Reporter {
  let live: Reporter | undefined
  return {
    async step(title, run) {
      const { liveReporter } = await import('./live-tasks.ts')
      live ??= liveReporter(stream)
      return live.step(title, run)
    },
    info: (text) => (live === undefined ? void stream.write(`${text}\n`) : live.info(text)),
    warn: (text) => (live === undefined ? void stream.write(warning(text)) : live.warn(text)),
  }
}
