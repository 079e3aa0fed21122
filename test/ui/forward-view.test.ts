import { Writable } from 'node:stream'
import { stripVTControlCharacters } from 'node:util'
import { expect, test } from 'vitest'
import type { ForwardReport } from '../../src/domain/forward/forward-report.ts'
import { changeLine, forwardLines, forwardsText, servedText, stoppedText } from '../../src/ui/forward-text.ts'
import { forwardView } from '../../src/ui/forward-view.ts'

const same = (text: string): string => text
const theme = { good: same, bad: same, caution: same, strong: same, faint: same, command: same }

const report: ForwardReport = {
  context: 'lab',
  server: 'https://lab',
  namespace: 'kube-registry',
  mode: 'port-forward',
  state: 'ready',
  detail: 'WebSockets to pod registry-1',
  port: 5000,
  addresses: ['127.0.0.1', '::1'],
  connections: { open: 2, total: 41, refused: 0, failed: 0 },
  bytes: { up: 3 * 2 ** 20, down: 10 },
  reconnects: 1,
  pid: 7,
  startedAt: 'now',
  instance: 'i',
  version: '1',
}

class Screen extends Writable {
  isTTY = true
  columns = 80
  text = ''
  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.text += chunk.toString()
    done()
  }
}

function shown(screen: Screen, options: { readonly stamped?: boolean; readonly quiet?: boolean } = {}) {
  let current = report
  const listeners = new Set<() => void>()
  const forward = {
    get report() {
      return current
    },
    onChange: (listener: () => void) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
  const stream = screen as unknown as NodeJS.WriteStream
  const hide = forwardView({ quiet: false, stamped: false, ...options, stream })(forward)
  const become = (change: Partial<ForwardReport>): void => {
    current = { ...current, ...change }
    for (const listener of listeners) listener()
  }
  return { hide, become }
}

test('what a forward shows of itself', () => {
  const lines = forwardLines({ ...report, docker: 'it is in a VM' }, theme, { up: 1024, down: 0 })
  expect(lines).toEqual([
    '● ready localhost:5000 port-forward, kube-registry in lab',
    '  WebSockets to pod registry-1',
    '  up 3.0 MiB (1.0 KiB/s)  down 10 B (0 B/s)  connections 2 of 41  reconnects 1',
    '  docker: it is in a VM',
  ])
  const worse = { ...report, connections: { open: 0, total: 1, refused: 4, failed: 5 } }
  expect(forwardLines(worse, theme)[2]).toContain('refused 4  failed 5')
})

test('on a terminal it is drawn in place, and lines that would wrap are cut', () => {
  const screen = new Screen()
  const { hide, become } = shown(screen)
  become({ detail: 'x'.repeat(200) })
  hide()
  expect(screen.text.split('\u001B[3A').length - 1).toBe(2)
  const widths = stripVTControlCharacters(screen.text)
    .split('\n')
    .map((line) => line.length)
  expect(Math.max(...widths)).toBeLessThan(80)
})

test('in a log it is a line for each change', () => {
  const screen = new Screen()
  screen.isTTY = false
  const { hide, become } = shown(screen)
  become({ bytes: { up: 5, down: 5 } })
  become({ state: 'waiting', detail: 'no registry pod is ready' })
  become({ docker: 'it is in a VM' })
  hide()
  expect(screen.text.split('\n').slice(0, -1)).toEqual([
    changeLine(report),
    'waiting: localhost:5000, no registry pod is ready (reconnects: 1)',
    'docker: it is in a VM',
  ])
  const quiet = new Screen()
  shown(quiet, { quiet: true }).become({ state: 'waiting' })
  expect(quiet.text).toBe('')
})

test('what is said at the end', () => {
  expect(servedText(report, true)).toContain('served already by regctl (pid 7)')
  expect(servedText({ ...report, log: '/l' }, false)).toContain('in the background; log: /l')
  expect(servedText({ ...report, state: 'stopped' }, false)).toContain('no longer')
  expect(forwardsText([], [])).toContain('No forward runs')
  expect(forwardsText([], [{ port: 5000, pid: 7, log: '/l' }])).toContain('does not answer (pid 7, log: /l)')
  expect(stoppedText([{ port: 5000 }, { port: 5001 }])).toBe('Stopped: localhost:5000, localhost:5001.')
})
