import { spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { processesInTree, processGroup } from './cgroups.ts'
import { Hopeless, systemPath } from './command.ts'
import { inState } from './paths.ts'

const ended = new Set<string>()

/** Ends a wait for daemons that this run has started and that are gone. */
export function requireRunning(...names: readonly string[]): void {
  for (const name of names) if (ended.has(name)) throw new Hopeless(`${name} ended`)
}

/** Starts a daemon in a session of its own, inside the lab's cgroup, with its output in the state directory. */
export async function start(name: string, argv: readonly string[]): Promise<void> {
  await mkdir(inState('log'), { recursive: true })
  await mkdir(inState('pids'), { recursive: true })
  const log = openSync(inState('log', `${name}.log`), 'a')
  ended.delete(name)
  // The shell joins the group before it becomes the program, so no child can escape it.
  const child = spawn('/bin/sh', ['-c', `echo $$ > ${processGroup}/cgroup.procs && exec "$@"`, 'sh', ...argv], {
    cwd: '/',
    detached: true,
    stdio: ['ignore', log, log],
    // Nothing of the caller's environment (proxies, tokens) gets into the cluster.
    env: { PATH: systemPath, HOME: inState('home') },
  })
  closeSync(log)
  child.once('exit', () => ended.add(name))
  child.unref()
  await writeFile(inState('pids', name), String(child.pid))
}

/** Names of started processes that are gone; an id counts only while it is in the lab's cgroup. */
export async function deadProcesses(): Promise<string[]> {
  const alive = new Set(processesInTree())
  const names = await readdir(inState('pids')).catch(() => [])
  const dead: string[] = []
  for (const name of names) {
    if (!alive.has(Number(await readFile(inState('pids', name), 'utf8')))) dead.push(name)
  }
  return dead
}

async function logTail(name: string, lines: number): Promise<string> {
  const file = inState('log', `${name}.log`)
  const text = (await readFile(file, 'utf8').catch(() => '')).trimEnd()
  return [
    `${file}:`,
    ...text
      .split('\n')
      .slice(-lines)
      .map((line) => `  ${line.slice(0, 300)}`),
  ].join('\n')
}

/** Does some work that stands on processes; its failure tells their last words, those of dead ones alone if there are any. */
export async function relyingOn<Result>(names: readonly string[], work: () => Promise<Result>): Promise<Result> {
  try {
    return await work()
  } catch (error) {
    const dead = (await deadProcesses()).filter((name) => names.includes(name))
    const tails = await Promise.all(
      (dead.length > 0 ? dead : names).map((name) => logTail(name, dead.length > 0 ? 15 : 5)),
    )
    throw new Error([error instanceof Error ? error.message : String(error), ...tails].join('\n'), {
      cause: error,
    })
  }
}
