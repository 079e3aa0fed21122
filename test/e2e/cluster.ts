import { setTimeout as pause } from 'node:timers/promises'
import { execa } from 'execa'
import { expect, type TestContext, test } from 'vitest'
import { loadSchema, violations } from '../contracts/schema.ts'
import type { LabInfo } from '../lab/info.ts'

export type Run = { readonly stdout: string; readonly stderr: string; readonly exitCode: number }
export type RunOptions = {
  readonly env?: Readonly<Record<string, string>>
  readonly input?: string
  readonly cwd?: string
  readonly timeout?: number
  readonly signal?: AbortSignal
}

/** The lab the suites run on; undefined on a cluster of the user's (REGCTL_E2E_CONTEXT). */
export const lab: LabInfo | undefined =
  process.env.REGCTL_E2E_LAB === undefined ? undefined : (JSON.parse(process.env.REGCTL_E2E_LAB) as LabInfo)

/** Runs a command to its end, whatever its exit code. A command that does not start at all throws. */
export async function run(argv: readonly string[], options: RunOptions = {}): Promise<Run> {
  const [file, ...args] = argv
  if (file === undefined) throw new Error('an empty command')
  const { stdout, stderr, exitCode, originalMessage } = await execa(file, args, {
    reject: false,
    stdin: options.input === undefined ? 'ignore' : 'pipe',
    ...(options.input === undefined ? {} : { input: options.input }),
    ...(options.env === undefined ? {} : { env: options.env }),
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.signal === undefined ? {} : { cancelSignal: options.signal }),
    timeout: options.timeout ?? 300_000,
  })
  if (exitCode === undefined) throw new Error(`${argv.join(' ')}: ${originalMessage}\n${stderr}`)
  return { stdout, stderr, exitCode }
}

/** The packed CLI as a user has it. With `--json` its output is held against the command's schema. */
export async function regctl(args: readonly string[], options: RunOptions = {}): Promise<Run> {
  const result = await run([installed(), ...args], options)
  const isData = args.includes('--json') && result.exitCode === 0
  const schema = isData ? (loadSchema(args.slice(0, 2).join(':')) ?? loadSchema(args[0] ?? '')) : undefined
  if (schema !== undefined) expect(violations(schema, JSON.parse(result.stdout)), result.stdout).toEqual([])
  return result
}

/** The same, for a step that has to succeed. */
export async function regctlOk(args: readonly string[], options: RunOptions = {}): Promise<string> {
  return mustSucceed(['regctl', ...args], await regctl(args, options))
}

export const kubectl = (args: readonly string[], options: RunOptions = {}): Promise<Run> =>
  run(['kubectl', ...args], options)

export async function kubectlOk(args: readonly string[], options: RunOptions = {}): Promise<string> {
  return mustSucceed(['kubectl', ...args], await kubectl(args, options))
}

/** Server-side apply of YAML or JSON. */
export const applyText = (text: string): Promise<string> =>
  kubectlOk(['apply', '--server-side', '--force-conflicts', '-f', '-'], { input: text })

/** Runs a command in the network namespace of a node; undefined without the lab. */
export async function onNode(
  node: string,
  argv: readonly string[],
  options: RunOptions = {},
): Promise<Run | undefined> {
  const found = lab?.nodes.find(({ name }) => name === node)
  if (lab !== undefined && found === undefined) throw new Error(`the lab has no node "${node}"`)
  return found === undefined ? undefined : run([...found.exec, ...argv], options)
}

/** A test that needs what only the lab can do, such as running a process on a node. */
export function labOnly(name: string, body: (context: TestContext) => Promise<void>, timeout?: number): void {
  test(name, timeout === undefined ? {} : { timeout }, async (context) => {
    context.skip(lab === undefined, 'needs the lab: it acts on the nodes themselves')
    await body(context)
  })
}

export const isLongRun = process.env.REGCTL_E2E_LONG !== undefined

/** For what takes too long for every change. */
export const longRunsOnly = ({ skip }: Pick<TestContext, 'skip'>): void =>
  skip(!isLongRun, 'takes long: it is in npm run test:long')

/** A test that takes too long for every change. */
export function slow(name: string, body: (context: TestContext) => Promise<void>): void {
  test(name, async (context) => {
    longRunsOnly(context)
    await body(context)
  })
}

/** Tries until `attempt` no longer throws; then gives what it returned, or its last error. */
export async function eventually<T>(
  attempt: () => Promise<T>,
  { timeout = 60_000, every = 500 }: { readonly timeout?: number; readonly every?: number } = {},
): Promise<T> {
  const end = Date.now() + timeout
  for (;;) {
    try {
      return await attempt()
    } catch (error) {
      if (Date.now() + every > end) throw error
    }
    await pause(every)
  }
}

function installed(): string {
  const binary = process.env.REGCTL_BIN
  if (binary === undefined) throw new Error('REGCTL_BIN is not set: run the suites by `npm test`')
  return binary
}

function mustSucceed(argv: readonly string[], { stdout, stderr, exitCode }: Run): string {
  if (exitCode !== 0) throw new Error(`${argv.join(' ')}: exit code ${exitCode}\n${stderr}\n${stdout}`)
  return stdout
}
