import type { ForwardReport } from '../domain/forward/forward-report.ts'
import { sizeText } from '../domain/size.ts'
import { type Theme, theme } from './theme.ts'

export type Rate = { readonly up: number; readonly down: number }

const MARK = { ready: '●', waiting: '◌', starting: '◌', stopped: '○' } as const

/** The lines of one forward, as the foreground redraws them and `--status` prints them. */
export function forwardLines(report: ForwardReport, theme: Theme, rate?: Rate): readonly string[] {
  const { connections, bytes } = report
  const color = report.state === 'ready' ? theme.good : theme.caution
  const through = `${report.mode}, ${report.namespace} in ${report.context}`
  const flow = (total: number, now: number | undefined) =>
    `${sizeText(total)}${now === undefined ? '' : ` (${sizeText(now)}/s)`}`
  return [
    `${color(`${MARK[report.state]} ${report.state}`)} ${theme.strong(`localhost:${report.port}`)} ${theme.faint(through)}`,
    `  ${report.detail}`,
    `  up ${flow(bytes.up, rate?.up)}  down ${flow(bytes.down, rate?.down)}  connections ${connections.open} of ${connections.total}${counts(report)}`,
    ...(report.docker === undefined ? [] : [`  ${theme.caution('docker:')} ${report.docker}`]),
  ]
}

function counts({ connections, reconnects }: ForwardReport): string {
  const parts = { refused: connections.refused, failed: connections.failed, reconnects }
  return Object.entries(parts)
    .filter(([name, count]) => count > 0 || name === 'reconnects')
    .map(([name, count]) => `  ${name} ${count}`)
    .join('')
}

/** One line per change, for logs. */
export const changeLine = (report: ForwardReport): string =>
  `${report.state}: localhost:${report.port}, ${report.detail}${report.reconnects > 0 ? ` (reconnects: ${report.reconnects})` : ''}`

export function servedText(report: ForwardReport, reused: boolean): string {
  if (reused) return `localhost:${report.port} is served already by regctl (pid ${report.pid}).`
  if (report.state === 'stopped') return `localhost:${report.port} is no longer served.`
  const state = report.state === 'ready' ? 'is served' : `is not served yet (${report.detail})`
  return `localhost:${report.port} ${state} in the background; log: ${report.log}\nNext: regctl dev-forward --status, regctl dev-forward --stop`
}

export function forwardsText(
  forwards: readonly ForwardReport[],
  silent: readonly { readonly port: number; readonly pid: number; readonly log: string }[],
): string {
  const parts = [
    ...forwards.map((report) => forwardLines(report, theme).join('\n')),
    ...silent.map(({ port, pid, log }) => theme.bad(`localhost:${port} does not answer (pid ${pid}, log: ${log})`)),
  ]
  return parts.length === 0 ? 'No forward runs. Next: regctl dev-forward --detach' : parts.join('\n')
}

export const stoppedText = (stopped: readonly { readonly port: number }[]): string =>
  stopped.length === 0
    ? 'No forward runs in the background.'
    : `Stopped: ${stopped.map(({ port }) => `localhost:${port}`).join(', ')}.`
