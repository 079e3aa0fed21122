import { existsSync } from 'node:fs'
import { execa } from 'execa'

/** sbin holds ip and iptables, and is missing from the PATH of many non-login shells. */
export const systemPath = `${process.env.PATH ?? ''}:/usr/local/sbin:/usr/sbin:/sbin`

export interface RunOptions {
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
  readonly input?: string
}

/** Ends a command with us, also when we are killed: else an `istioctl install` would go on under the next lab. */
const tied = existsSync('/usr/bin/setpriv') ? ['/usr/bin/setpriv', '--pdeathsig=KILL', '--'] : []

/** Runs a command to its end and returns its stdout; its failure carries its stderr. */
export async function run(argv: readonly string[], options: RunOptions = {}): Promise<string> {
  const [file = '', ...args] = [...tied, ...argv]
  const { stdout } = await execa(file, args, {
    ...options,
    env: { PATH: systemPath, ...options.env },
    ...(options.input === undefined ? { stdin: 'ignore' as const } : {}),
  })
  return stdout
}

export async function succeeds(argv: readonly string[], options: RunOptions = {}): Promise<boolean> {
  return run(argv, options).then(
    () => true,
    () => false,
  )
}

/** Thrown by a question of `until` to say that the answer will never be yes. */
export class Hopeless extends Error {}

/** Asks again until the answer is yes; a failing question counts as no. */
export async function until(what: string, ask: () => Promise<boolean>, seconds: number): Promise<void> {
  const deadline = Date.now() + seconds * 1000
  let last = ''
  while (Date.now() < deadline) {
    try {
      if (await ask()) return
    } catch (error) {
      if (error instanceof Hopeless) throw error
      last = `: ${error instanceof Error ? error.message : String(error)}`
    }
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
  throw new Error(`${what}: not within ${seconds} s${last}`)
}
