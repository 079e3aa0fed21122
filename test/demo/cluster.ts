import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { execa } from 'execa'
import { labDown, labInfo, labUp } from '../lab/lab.ts'
import { command, output } from './account.ts'

export type Images = { readonly kaniko: string; readonly busybox: string; readonly curl: string }

/** Where the demo runs. */
export type Cluster = {
  readonly env: Readonly<Record<string, string>>
  readonly images: Images
  /** What `regctl up` needs here to install. */
  readonly upFlags: readonly string[]
  /** This machine reaches the nodes' addresses, so it can play the remote client. */
  readonly reachesNodes: boolean
  readonly signal: AbortSignal
  /** The cluster is thrown away after the story. */
  readonly disposable: boolean
  readonly close: () => Promise<void>
}

export type Run = { readonly stdout: string; readonly stderr: string; readonly exitCode: number }

const root = join(import.meta.dirname, '../..')

/** The lab, started if it does not run; stopped at the end if it was started here and is not to be kept. */
export async function labCluster(keep: boolean, signal: AbortSignal): Promise<Cluster> {
  const found = await labInfo()
  const lab = await labUp()
  const { registry = '', kaniko = '', toolbox = '' } = lab.images
  const disposable = found === undefined && !keep
  return {
    env: { KUBECONFIG: lab.kubeconfig, PATH: [lab.tools, process.env.PATH ?? ''].join(delimiter) },
    images: { kaniko, busybox: toolbox, curl: toolbox },
    upFlags: ['--image', registry, '--size', '1Gi'],
    reachesNodes: true,
    signal,
    disposable,
    close: disposable ? labDown : async () => {},
  }
}

/** A cluster of the user's; a file with that context alone, so that no command can reach another one. */
export async function contextCluster(
  context: string,
  images: Images,
  upFlags: readonly string[],
  signal: AbortSignal,
): Promise<Cluster> {
  const view = ['config', 'view', '--raw', '--minify', '--flatten', '--context', context]
  const { stdout } = await execa('kubectl', view, { stdin: 'ignore' }).catch((error: unknown) => {
    throw new Error(`kubectl does not know context "${context}": kubectl config get-contexts shows those there are`, {
      cause: error,
    })
  })
  const directory = await mkdtemp(join(tmpdir(), 'regctl-demo-'))
  const kubeconfig = join(directory, 'kubeconfig')
  await writeFile(kubeconfig, stdout, { mode: 0o600 })
  return {
    env: { KUBECONFIG: kubeconfig },
    images,
    upFlags,
    reachesNodes: false,
    signal,
    disposable: false,
    close: () => rm(directory, { recursive: true, force: true }),
  }
}

async function execute(cluster: Cluster, argv: readonly string[], input?: string): Promise<Run> {
  const [file = '', ...args] = argv
  const result = await execa(file, args, {
    env: cluster.env,
    reject: false,
    cancelSignal: cluster.signal,
    ...(input === undefined ? { stdin: 'ignore' } : { input }),
  })
  cluster.signal.throwIfAborted()
  if (result.exitCode === undefined) throw new Error(`${argv.join(' ')}: ${result.originalMessage}`)
  return { stdout: result.stdout, stderr: result.stderr, exitCode: result.exitCode }
}

/** kubectl off stage; a failure ends the demo. */
export async function kubectl(cluster: Cluster, args: readonly string[], input?: string): Promise<string> {
  const { stdout, stderr, exitCode } = await execute(cluster, ['kubectl', ...args], input)
  if (exitCode !== 0) throw new Error(`kubectl ${args.join(' ')}: ${stderr}`)
  return stdout
}

export async function apply(cluster: Cluster, ...items: readonly object[]): Promise<void> {
  await kubectl(cluster, ['apply', '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'List', items }))
}

/** A command on stage: shown, and what it says comes as it comes. */
export async function show(cluster: Cluster, argv: readonly string[]): Promise<Run> {
  command(argv)
  return execute(cluster, argv)
}

/** A regctl of this checkout; its output is shown line by line, a failure ends the demo. */
export async function regctl(cluster: Cluster, args: readonly string[]): Promise<void> {
  command(['regctl', ...args])
  const child = execa(process.execPath, [join(root, 'bin/dev.js'), ...args], {
    env: cluster.env,
    stdin: 'ignore',
    all: true,
    reject: false,
    cancelSignal: cluster.signal,
  })
  for await (const line of child.iterable({ from: 'all' })) if (!isProgress(line)) output(line)
  const { exitCode } = await child
  cluster.signal.throwIfAborted()
  if (exitCode !== 0) throw new Error(`regctl ${args.join(' ')} ended with exit code ${exitCode}`)
}

/** regctl's JSON off stage; undefined when it fails, such as where nothing is installed. */
export async function regctlJson(cluster: Cluster, args: readonly string[]): Promise<unknown> {
  const { stdout, exitCode } = await execute(cluster, [process.execPath, join(root, 'bin/dev.js'), ...args, '--json'])
  return exitCode === 0 || exitCode === 6 ? JSON.parse(stdout) : undefined
}

/** The start of a step and its notes; its end is shown. */
const isProgress = (line: string): boolean => line.startsWith('›') || line.startsWith('    ')
