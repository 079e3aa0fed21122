import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFile, cp, mkdtemp, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Run, run } from '../cluster.ts'

const root = join(import.meta.dirname, '../../..')

/** The lab's own commands, from this checkout or another one. */
export type Checkout = {
  readonly lab: (...args: readonly string[]) => Promise<Run>
  /** Kills `lab up` some time after it has told that it begins a step; gives what it had told. */
  readonly killedUp: (step: string, milliseconds: number) => Promise<string>
}

const checkoutAt = (directory: string): Checkout => {
  const main = [process.execPath, join(directory, 'test/lab/main.ts')] as const
  return {
    lab: (...args) => run([...main, ...args], { timeout: 200_000 }),
    killedUp: (step, milliseconds) => {
      const child = spawn(main[0], [main[1], 'up'], { stdio: ['ignore', 'pipe', 'pipe'] })
      return killed(child, step, milliseconds)
    },
  }
}

export const here = checkoutAt(root)

async function killed(child: ChildProcess, step: string, milliseconds: number): Promise<string> {
  let told = ''
  const reached = new Promise<void>((resolve) => {
    const read = (chunk: Buffer): void => {
      told += chunk.toString()
      if (told.includes(step)) resolve()
    }
    child.stdout?.on('data', read)
    child.stderr?.on('data', read)
  })
  const over = once(child, 'close')
  await Promise.race([reached, over])
  await new Promise((resolve) => setTimeout(resolve, milliseconds))
  child.kill('SIGKILL')
  await over
  return told
}

/** A copy whose lab differs in a comment, as one of another commit does. */
export async function otherCheckout(): Promise<Checkout & AsyncDisposable> {
  const directory = await mkdtemp(join(tmpdir(), 'regctl-checkout-'))
  await cp(join(root, 'test/lab'), join(directory, 'test/lab'), { recursive: true })
  await cp(join(root, 'package.json'), join(directory, 'package.json'))
  await symlink(join(root, 'node_modules'), join(directory, 'node_modules'))
  await appendFile(join(directory, 'test/lab/network.ts'), '// Of another commit.\n')
  return {
    ...checkoutAt(directory),
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }),
  }
}
