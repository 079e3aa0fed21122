import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { execa } from 'execa'
import { seconds } from './series.ts'

const regctl = join(import.meta.dirname, '../../bin/run.js')
const REGISTRY = 'kube-registry'

/** A way from this machine to the registry, open until `close`. */
export type Way = {
  readonly name: string
  readonly url: string
  /** A command prefix that a client has to run under to be on this way. */
  readonly prefix: readonly string[]
  /** From the start of the process to the first answer. */
  readonly startSeconds: number
  /** Largest resident memory of the process so far, in MiB; undefined where there is none of ours. */
  readonly peakMiB: () => number | undefined
  readonly close: () => Promise<void>
}

/** Of a way that no program of ours or of kubectl's has to hold open. */
export const noProcess = { startSeconds: Number.NaN, peakMiB: () => undefined, close: async () => {} } as const

const args = (): Readonly<Record<string, readonly string[]>> => ({
  'port-forward, by kubectl': ['--mode', 'port-forward', '--transport', 'kubectl'],
  'port-forward, by WebSocket': ['--mode', 'port-forward', '--transport', 'websocket'],
  mesh: ['--mode', 'mesh'],
  proxy: [
    '--mode',
    'proxy',
    ...(process.env.REGCTL_BENCH_PROXY_IMAGE === undefined
      ? []
      : ['--proxy-image', process.env.REGCTL_BENCH_PROXY_IMAGE]),
  ],
})

/** Those of `regctl dev-forward`, and what they are measured against. */
export const OURS = Object.keys(args())

export const kubectlWay = (
  port: number,
  target: readonly string[] = ['-n', REGISTRY, `deploy/${REGISTRY}`],
): Promise<Way> => opened('kubectl port-forward', port, 'kubectl', ['port-forward', ...target, `${port}:5000`])

export const ourWay = (name: string, port: number, identity: string): Promise<Way> =>
  opened(name, port, process.execPath, [
    ...[regctl, 'dev-forward', '--port', String(port), ...(args()[name] ?? [])],
    ...(name === 'mesh' || name === 'proxy' ? ['--identity', identity] : []),
  ])

/** The registry's own loopback, from inside its pod's network namespace: nothing can be faster. */
export async function loopbackWay(): Promise<Way> {
  const template = '{.items[0].status.containerStatuses[?(@.name=="registry")].containerID}'
  const { stdout } = await execa('kubectl', [
    'get',
    'pods',
    '-n',
    REGISTRY,
    '-l',
    `app=${REGISTRY}`,
    '-o',
    `jsonpath=${template}`,
  ])
  const id = stdout.replace(/^.*\/\//, '')
  const [file] = globSync(`/var/lib/regctl-lab/node*/**/${id}/init.pid`)
  if (file === undefined) throw new Error(`no process of container ${id} on this machine`)
  const prefix = ['nsenter', `--net=/proc/${readFileSync(file, 'utf8').trim()}/ns/net`, '--']
  return { name: "the registry's loopback", url: 'http://127.0.0.1:5000', prefix, ...noProcess }
}

async function opened(name: string, port: number, command: string, argv: readonly string[]): Promise<Way> {
  const url = `http://localhost:${port}`
  let process: ChildProcess | undefined
  const startSeconds = await seconds(async () => {
    const child = spawn(command, argv, { stdio: ['ignore', 'ignore', 'pipe'] })
    process = child
    const said: Buffer[] = []
    child.stderr?.on('data', (chunk: Buffer) => said.push(chunk))
    while (!(await answers(url))) {
      if (child.exitCode !== null) throw new Error(`${name}: exit code ${child.exitCode}\n${Buffer.concat(said)}`)
      await pause(5)
    }
  })
  return {
    name,
    url,
    prefix: [],
    startSeconds,
    peakMiB: () => peak(process?.pid),
    close: async () => {
      if (process === undefined || process.exitCode !== null) return
      const over = once(process, 'exit')
      process.kill('SIGTERM')
      await over
    },
  }
}

const answers = (url: string): Promise<boolean> =>
  fetch(`${url}/v2/`).then(
    async (response) => {
      await response.arrayBuffer()
      return response.ok
    },
    () => false,
  )

function peak(pid: number | undefined): number | undefined {
  const found = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
  return found === undefined ? undefined : Math.round(Number(found) / 1024)
}
