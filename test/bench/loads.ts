import { createHash, randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import http from 'node:http'
import { join } from 'node:path'
import { execa } from 'execa'
import type { Way } from './ways.ts'

export const MEBIBYTE = 1024 * 1024
const SMALL_BLOBS = 1000
const CONNECTIONS = 8

/** A blob in a file. */
export type Blob = { readonly file: string; readonly digest: string; readonly bytes: number }

export async function makeBlob(directory: string, bytes: number): Promise<Blob> {
  const content = randomBytes(bytes)
  const digest = `sha256:${createHash('sha256').update(content).digest('hex')}`
  const file = join(directory, digest.slice(7, 19))
  await writeFile(file, content)
  return { file, digest, bytes }
}

const curl = (way: Way, args: readonly string[]): Promise<{ readonly stdout: string }> => {
  const [command = '', ...rest] = [...way.prefix, 'curl', '-sSf', '-m', '300', ...args]
  return execa(command, rest)
}

export async function push(way: Way, repository: string, { file, digest }: Blob): Promise<void> {
  const begun = await curl(way, [
    '-X',
    'POST',
    '-D',
    '-',
    '-o',
    '/dev/null',
    `${way.url}/v2/${repository}/blobs/uploads/`,
  ])
  const { pathname, search } = new URL(/^location: (.*)$/im.exec(begun.stdout)?.[1]?.trim() ?? '', way.url)
  const location = new URL(`${pathname}${search}`, way.url)
  location.searchParams.set('digest', digest)
  await curl(way, ['-X', 'PUT', '-H', 'content-type: application/octet-stream', '-T', file, location.href])
}

export async function pull(way: Way, repository: string, { digest, bytes }: Blob): Promise<void> {
  const url = `${way.url}/v2/${repository}/blobs/${digest}`
  const { stdout } = await curl(way, ['-o', '/dev/null', '-w', '%{size_download}', url])
  if (Number(stdout) !== bytes) throw new Error(`${way.name}: ${stdout} bytes of ${bytes} arrived`)
}

/** HEAD of 1,000 blobs over 8 kept-alive connections; the registry looks each of them up. */
export async function heads(way: Way, repository: string, { digest }: Blob): Promise<void> {
  const agent = new http.Agent({ keepAlive: true, maxSockets: CONNECTIONS })
  const head = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const request = http.request(
        `${way.url}/v2/${repository}/blobs/${digest}`,
        { method: 'HEAD', agent },
        (response) => {
          response.resume()
          response.on('end', () =>
            response.statusCode === 200 ? resolve() : reject(new Error(`${response.statusCode}`)),
          )
        },
      )
      request.on('error', reject)
      request.end()
    })
  try {
    await Promise.all(Array.from({ length: SMALL_BLOBS }, head))
  } finally {
    agent.destroy()
  }
}
