import { spawn } from 'node:child_process'
import { access } from 'node:fs/promises'
import { constants } from 'node:os'
import { delimiter, join, resolve } from 'node:path'
import { execa } from 'execa'
import type { ExecResult } from '../ports.ts'

export type RunOptions = {
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
}

/** Runs a program to its end, whatever its exit code; undefined where it does not exist or does not start. */
export async function run(argv: readonly string[], options: RunOptions = {}): Promise<ExecResult | undefined> {
  const [file = '', ...args] = argv
  const { stdout, stderr, exitCode } = await execa(file, args, {
    reject: false,
    stdin: 'ignore',
    timeout: options.timeoutMs ?? 30_000,
    ...(options.signal === undefined ? {} : { cancelSignal: options.signal }),
  })
  return exitCode === undefined ? undefined : { stdout, stderr, exitCode }
}

/** The program's file on the PATH. */
export async function findProgram(name: string): Promise<string | undefined> {
  for (const directory of (process.env.PATH ?? '').split(delimiter).filter((part) => part !== '')) {
    const file = join(directory, process.platform === 'win32' ? `${name}.exe` : name)
    const found = await access(file, process.platform === 'win32' ? 0 : 1).then(
      () => true,
      () => false,
    )
    if (found) return file
  }
  return undefined
}

export type Supervised = {
  /** The end of what it said on stderr, once it has ended. */
  readonly ended: Promise<{ readonly exitCode: number | undefined; readonly stderr: string }>
  stop(): void
}

/**
 * Runs the program beside a `read` of our end of a pipe. The pipe closes however this process ends, SIGKILL included, and with
 * it the program; no exit hook can do that.
 */
const GUARD = `exec 3<&0
"$@" </dev/null 3<&- &
child=$!
{ read -r _ <&3; kill "$child"; } >/dev/null 2>&1 &
watch=$!
exec 3<&-
trap 'kill "$child" "$watch" 2>/dev/null' TERM INT HUP
wait "$child"
code=$?
kill "$watch" 2>/dev/null
exit "$code"`

const STDERR_KEPT = 4_000

/** Starts a program that lives no longer than this process; `take` gets its stdout in pieces, `env` adds to the environment. */
export function supervise(
  argv: readonly string[],
  take: (text: string) => void,
  env: Readonly<Record<string, string>> = {},
): Supervised {
  const [file, args] =
    process.platform === 'win32' ? [argv[0] ?? '', argv.slice(1)] : ['sh', ['-c', GUARD, 'sh', ...argv]]
  const child = execa(file, args, {
    reject: false,
    stdin: 'pipe',
    buffer: false,
    env,
    // A Ctrl-C in the terminal is ours to answer: connections end in order, then the program.
    detached: process.platform !== 'win32',
  })
  let stderr = ''
  child.stdout.on('data', (chunk: Buffer) => take(chunk.toString('utf8')))
  child.stderr.on('data', (chunk: Buffer) => {
    stderr = `${stderr}${chunk.toString('utf8')}`.slice(-STDERR_KEPT)
  })
  child.stdin.on('error', () => {})
  return {
    ended: child.then(({ exitCode }) => ({ exitCode, stderr: stderr.trim() })),
    stop: () => {
      if (process.platform === 'win32') child.kill()
      else child.stdin.end()
    },
  }
}

/** Runs the program when this process is gone, however it ends; or when told to, which resolves once that is done. */
export function afterwards(argv: readonly string[]): () => Promise<void> {
  const wait = 'trap "" TERM INT HUP; read -r _; exec "$@" >/dev/null 2>&1'
  const child = execa('sh', ['-c', wait, 'sh', ...argv], {
    reject: false,
    stdin: 'pipe',
    stdout: 'ignore',
    stderr: 'ignore',
    detached: true,
  })
  child.stdin.on('error', () => {})
  return async () => {
    child.stdin.end()
    await child
  }
}

/** Runs a program on our own terminal and gives its exit code, by the shell's rules where a signal ended it. */
export async function attach(
  argv: readonly string[],
  options: { readonly env: Readonly<Record<string, string>>; readonly signal: AbortSignal; readonly quiet: boolean },
): Promise<number> {
  const [file = '', ...args] = argv
  const child = execa(file, args, {
    reject: false,
    stdin: 'inherit',
    // With --json our stdout is for data alone.
    stdout: options.quiet ? process.stderr : 'inherit',
    stderr: 'inherit',
    env: options.env,
    // The program decides what a signal means, and we end when it has.
    cleanup: false,
  })
  const forward = (): void => {
    // A terminal sends Ctrl-C to the program itself; a second one would mean "at once" to many.
    if (!(process.stdin.isTTY && /SIGINT/.test(String(options.signal.reason)))) {
      child.kill(/SIGINT/.test(String(options.signal.reason)) ? 'SIGINT' : 'SIGTERM')
    }
  }
  options.signal.addEventListener('abort', forward, { once: true })
  const { exitCode, signal, code } = await child
  options.signal.removeEventListener('abort', forward)
  if (exitCode !== undefined) return exitCode
  if (signal !== undefined) return 128 + constants.signals[signal]
  return code === 'EACCES' ? 126 : 127
}

/**
 * Starts the program anew when it crashed or was killed. An exit code of regctl's own means that another try would say the same.
 */
const SUPERVISOR = `trap 'stop=1; kill "$child" 2>/dev/null' TERM INT HUP
stop=
while :; do
  "$@" &
  child=$!
  wait "$child"
  code=$?
  while [ -n "$stop" ] && kill -0 "$child" 2>/dev/null; do wait "$child"; done
  [ -n "$stop" ] && exit 0
  case $code in 0 | [2-6] | 130 | 143) exit "$code" ;; esac
  echo "ended with exit code $code; starting again"
  sleep 1
done`

/** Leaves the program running, supervised, in a session of its own; tells whether it still does. */
export function background(
  argv: readonly string[],
  env: Readonly<Record<string, string>>,
  log: number,
): { readonly pid: number | undefined; readonly running: () => boolean } {
  const child = spawn('sh', ['-c', SUPERVISOR, 'regctl-supervisor', ...argv], {
    detached: true,
    stdio: ['ignore', log, log],
    env: { ...process.env, ...env, ...kubeconfigFrom(process.cwd()) },
    cwd: '/',
  })
  child.on('error', () => {})
  child.unref()
  return {
    pid: child.pid,
    running: () => child.pid !== undefined && child.exitCode === null && child.signalCode === null,
  }
}

/** Its files may be named as seen from here. */
function kubeconfigFrom(directory: string): { readonly KUBECONFIG?: string } {
  const { KUBECONFIG } = process.env
  if (!KUBECONFIG) return {}
  const files = KUBECONFIG.split(delimiter).filter((file) => file !== '')
  return { KUBECONFIG: files.map((file) => resolve(directory, file)).join(delimiter) }
}
