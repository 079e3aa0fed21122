import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { eventually } from '../cluster.ts'

/** The commands of the guide's shell examples below a heading, block by block. */
export async function guideBlocks(heading: string): Promise<readonly (readonly string[])[]> {
  const guide = await readFile(join(import.meta.dirname, '../../../docs/guide.md'), 'utf8')
  const chapter = guide.split(/^## /m).find((text) => text.startsWith(heading)) ?? ''
  return [...chapter.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, block = '']) =>
    block
      .split('\n')
      .map((line) => line.replace(/ +# .*$/, ''))
      .filter((line) => line !== ''),
  )
}

export type Typed = AsyncDisposable & {
  readonly said: () => string
  /** Gives the exit code. */
  readonly ended: Promise<number>
}

/** A line as somebody types it, who has regctl on the PATH; Ctrl-C when it is disposed of. */
export function typed(line: string, env: Readonly<Record<string, string>>): Typed {
  const PATH = `${dirname(process.env.REGCTL_BIN ?? '')}:${env.PATH ?? process.env.PATH}`
  const child = spawn('sh', ['-c', line], { env: { ...process.env, ...env, PATH }, detached: true })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (said += chunk.toString()))
  const ended = once(child, 'exit').then(([code]) => Number(code))
  return {
    said: () => said,
    ended,
    [Symbol.asyncDispose]: async () => {
      if (child.exitCode === null && child.signalCode === null) process.kill(-(child.pid ?? 0), 'SIGINT')
      await ended
    },
  }
}

export const saying = (line: Typed, what: RegExp): Promise<void> =>
  eventually(
    async () => {
      if (!what.test(line.said())) throw new Error(`it says: ${line.said()}`)
    },
    { timeout: 20_000, every: 100 },
  )
