import { spawn } from 'node:child_process'
import { connect } from 'node:net'
import { createInterface } from 'node:readline'

/** Bytes to one port of a pod, as they are. The other end is the pod's loopback, like an application's own. */
export type Wire = AsyncDisposable & {
  /** The first response, as soon as it is whole. */
  ask(bytes: string): Promise<string>
  /** Everything that came back until the other side closed or fell silent. */
  pour(bytes: string): Promise<string>
}

const SILENCE_MS = 1500

export async function wire(namespace: string, pod: string, port: number): Promise<Wire> {
  const argv = ['port-forward', '-n', namespace, `pod/${pod}`, `:${port}`]
  const forward = spawn('kubectl', argv, { stdio: ['ignore', 'pipe', 'pipe'] })
  const local = await new Promise<number>((resolve, reject) => {
    let errors = ''
    forward.stderr.on('data', (chunk: Buffer) => {
      errors += chunk.toString()
    })
    createInterface(forward.stdout).on('line', (line) => {
      const found = /^Forwarding from 127\.0\.0\.1:(\d+)/.exec(line)?.[1]
      if (found !== undefined) resolve(Number(found))
    })
    forward.on('close', () => reject(new Error(`kubectl ${argv.join(' ')}: ${errors}`)))
  })
  return {
    ask: (bytes) => exchange(local, bytes, isWhole),
    pour: (bytes) => exchange(local, bytes, () => false),
    [Symbol.asyncDispose]: async () => {
      forward.kill()
    },
  }
}

function exchange(port: number, bytes: string, done: (answer: string) => boolean): Promise<string> {
  return new Promise((resolve) => {
    let answer = ''
    const socket = connect({ host: '127.0.0.1', port })
    const end = (): void => {
      socket.destroy()
      resolve(answer)
    }
    socket.setTimeout(SILENCE_MS, end)
    socket.on('data', (chunk) => {
      answer += chunk.toString('latin1')
      if (done(answer)) end()
    })
    socket.on('error', end)
    socket.on('close', end)
    socket.on('connect', () => socket.write(bytes, 'latin1'))
  })
}

function isWhole(answer: string): boolean {
  const head = answer.indexOf('\r\n\r\n')
  const length = /^content-length: (\d+)/im.exec(answer.slice(0, head + 1))?.[1]
  return head >= 0 && length !== undefined && answer.length >= head + 4 + Number(length)
}

/** Status codes of every response in what came back. */
export const codesIn = (answer: string): readonly number[] =>
  [...answer.matchAll(/^HTTP\/1\.[01] (\d{3})/gm)].map(([, code]) => Number(code))

export type Answer = { readonly bytes: string; readonly answer: string }

/** Each line that was not refused, with its answer; a connection closed without a word is a refusal too. */
export async function notRefused(over: Wire, requests: readonly string[]): Promise<readonly string[]> {
  const answers = await Promise.all(requests.map(async (bytes) => ({ bytes, answer: await over.ask(bytes) })))
  const silent = answers.filter(({ answer }) => answer === '').length
  // Otherwise a broken wire would pass for a good defence.
  if (silent > requests.length / 10) throw new Error(`${silent} of ${requests.length} requests got no answer at all`)
  return answers
    .filter(({ answer }) => !codesIn(answer).every((code) => code >= 400 && code < 500))
    .map(({ bytes, answer }) => `${bytes.split('\r\n')[0]} → ${answer.slice(0, 300)}`)
}

/** One whole request that asks for the connection's end; `target` stands in the request line as it is. */
export function request(method: string, target: string, headers: readonly string[] = []): string {
  const body = method === 'GET' || method === 'HEAD' ? [] : ['Content-Length: 0']
  return [
    `${method} ${target} HTTP/1.1`,
    'Host: localhost:5000',
    'Connection: close',
    ...body,
    ...headers,
    '',
    '',
  ].join('\r\n')
}
