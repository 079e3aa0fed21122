import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { delimiter, dirname } from 'node:path'
import { extraTool } from '../../lab/tools.ts'
import { eventually, type Run, run } from '../cluster.ts'
import type { SkaffoldProject } from './project.ts'

type Environment = Readonly<Record<string, string>>

/** Stock Skaffold on a project, with nothing set that its documentation would not have. */
export async function skaffoldEnvironment({ home }: SkaffoldProject, more: Environment = {}): Promise<Environment> {
  const path = [dirname(await extraTool('helm')), process.env.PATH ?? ''].join(delimiter)
  return { HOME: home, PATH: path, SKAFFOLD_UPDATE_CHECK: 'false', SKAFFOLD_INTERACTIVE: 'false', ...more }
}

export async function skaffold(
  project: SkaffoldProject,
  args: readonly string[],
  environment: Environment = {},
): Promise<Run> {
  const env = await skaffoldEnvironment(project, environment)
  return run([await extraTool('skaffold'), ...args], { cwd: project.directory, env, timeout: 170_000 })
}

/** `skaffold dev` at work; ends as by Ctrl-C, and takes what it deployed along. */
export type Dev = AsyncDisposable & { readonly said: () => string; readonly watching: () => Promise<void> }

export async function skaffoldDev(
  project: SkaffoldProject,
  args: readonly string[],
  environment: Environment = {},
): Promise<Dev> {
  const env = { ...process.env, ...(await skaffoldEnvironment(project, environment)) }
  const stdio: ['ignore', 'pipe', 'pipe'] = ['ignore', 'pipe', 'pipe']
  const child = spawn(await extraTool('skaffold'), ['dev', ...args], { cwd: project.directory, env, stdio })
  let said = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => {
      said += chunk
    })
  const over = once(child, 'exit')
  return {
    said: () => said,
    watching: () =>
      eventually(
        async () => {
          if (child.exitCode !== null) throw new Error(`skaffold dev ended with ${child.exitCode}:\n${said}`)
          if (!said.includes('Watching for changes')) throw new Error(`skaffold dev does not watch yet:\n${said}`)
        },
        { timeout: 120_000, every: 200 },
      ),
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGINT')
      await over
    },
  }
}
