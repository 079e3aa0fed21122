import { stripVTControlCharacters } from 'node:util'
import type { ForwardReport } from '../domain/forward/forward-report.ts'
import { changeLine, forwardLines } from './forward-text.ts'
import { stderrTheme as theme } from './theme.ts'

type Shown = { readonly report: ForwardReport; onChange(listener: () => void): () => void }
type Options = { readonly quiet: boolean; readonly stamped: boolean; readonly stream?: NodeJS.WriteStream }

const EVERY = 1_000

/** Shows a forward on stderr while it runs: in place on a terminal, else a line for each change. */
export function forwardView({ quiet, stamped, stream = process.stderr }: Options): (forward: Shown) => () => void {
  if (quiet) return () => () => {}
  return stream.isTTY && stream.columns > 20 ? live(stream) : plain(stream, stamped)
}

function plain(stream: NodeJS.WriteStream, stamped: boolean) {
  return (forward: Shown) => {
    let before = ''
    const say = (text: string): void => {
      stream.write(`${stamped ? `${new Date().toISOString()} ` : ''}${text}\n`)
    }
    let docker: string | undefined
    const show = (): void => {
      const line = changeLine(forward.report)
      if (line !== before) say(line)
      before = line
      if (forward.report.docker !== docker) {
        docker = forward.report.docker
        say(`docker: ${docker}`)
      }
    }
    show()
    return forward.onChange(show)
  }
}

function live(stream: NodeJS.WriteStream) {
  return (forward: Shown) => {
    let drawn = 0
    let before = { bytes: forward.report.bytes, at: performance.now() }
    let rate = { up: 0, down: 0 }
    const draw = (): void => {
      const width = stream.columns
      const lines = forwardLines(forward.report, theme, rate)
      // A line that wraps would count as two when the next drawing goes up again.
      const cut = lines.map((line) =>
        stripVTControlCharacters(line).length < width ? line : `${stripVTControlCharacters(line).slice(0, width - 2)}…`,
      )
      stream.write(
        `${drawn === 0 ? '' : `\u001B[${drawn}A`}${cut.map((line) => `\u001B[2K${line}\n`).join('')}\u001B[J`,
      )
      drawn = cut.length
    }
    const tick = (): void => {
      const [bytes, at] = [forward.report.bytes, performance.now()]
      const seconds = (at - before.at) / 1_000
      rate = { up: (bytes.up - before.bytes.up) / seconds, down: (bytes.down - before.bytes.down) / seconds }
      before = { bytes, at }
      draw()
    }
    draw()
    const timer = setInterval(tick, EVERY)
    const off = forward.onChange(draw)
    return () => {
      clearInterval(timer)
      off()
      draw()
    }
  }
}
