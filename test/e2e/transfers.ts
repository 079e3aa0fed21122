import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { blobScript, type Client, LOCAL } from './clients.ts'
import { kubectl } from './cluster.ts'

export type Transfer = {
  readonly failure: number
  readonly digest: string
  readonly startedAt: number
  readonly endedAt: number
}

/** What a transfer of this rate takes with the buffers of four sockets and two proxies on its way filled at once. */
const RATE = 3_000_000

async function timed(client: Client, script: string): Promise<Transfer> {
  const startedAt = Date.now()
  const argv = ['exec', '-n', client.namespace, client.name, '-c', 'main', '--', 'sh', '-c', script]
  const { stdout, exitCode } = await kubectl(argv, { timeout: 200_000 })
  return { failure: exitCode, digest: stdout.trim(), startedAt, endedAt: Date.now() }
}

/** Uploads one blob of `seconds` at a steady rate, in one request. */
export const slowUpload = (client: Client, repository: string, seconds: number): Promise<Transfer> =>
  timed(
    client,
    blobScript(
      repository,
      LOCAL,
      `f=$(mktemp) && head -c ${seconds * 100_000} /dev/urandom >$f && put $f "--limit-rate 100000"`,
    ),
  )

/** Downloads a blob at a steady rate. */
export const slowDownload = (client: Client, repository: string, digest: string): Promise<Transfer> =>
  timed(
    client,
    `{ curl -sf -m 190 --limit-rate ${RATE} ${LOCAL}/v2/${repository}/blobs/${digest} || echo cut; } | sha256sum | sed 's/^\\([0-9a-f]*\\).*/sha256:\\1/'`,
  )

/** Uploads what `slowDownload` takes `seconds` for; gives its digest. */
export async function bigBlob(client: Client, repository: string, seconds: number): Promise<string> {
  const body = `f=$(mktemp) && head -c ${seconds * RATE} /dev/urandom >$f && put $f && rm $f`
  const { digest, failure } = await timed(client, blobScript(repository, LOCAL, body))
  if (failure !== 0) throw new Error(`no blob of ${seconds} s in ${repository}`)
  return digest
}

/** One connection that stays open between requests, in a client's pod. */
export type Connection = AsyncDisposable & {
  /** The status, or undefined where the connection is closed. */
  send(method: string, path: string): Promise<number | undefined>
  /** When the other side closed it. */
  readonly closed: Promise<number>
}

export function connection({ namespace, name }: Client, port = 5000): Connection {
  const argv = ['exec', '-i', '-n', namespace, name, '-c', 'main', '--', 'nc', '127.0.0.1', String(port)]
  const process = spawn('kubectl', argv, { stdio: ['pipe', 'pipe', 'ignore'] })
  const lines = createInterface(process.stdout)
  let answered: ((status: number | undefined) => void) | undefined
  lines.on('line', (line) => {
    const status = /^HTTP\/1\.1 (\d{3})/.exec(line)?.[1]
    if (status !== undefined) answered?.(Number(status))
  })
  process.stdin.on('error', () => {})
  const closed = new Promise<number>((resolve) => {
    process.on('close', () => {
      answered?.(undefined)
      resolve(Date.now())
    })
  })
  return {
    closed,
    send: (method, path) =>
      new Promise((resolve) => {
        if (process.exitCode !== null) return resolve(undefined)
        answered = resolve
        process.stdin.write(`${method} ${path} HTTP/1.1\r\nHost: localhost:${port}\r\nContent-Length: 0\r\n\r\n`)
      }),
    [Symbol.asyncDispose]: async () => {
      process.kill()
    },
  }
}
