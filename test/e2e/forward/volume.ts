import { createHash, randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { run } from '../cluster.ts'

export type Blob = { readonly file: string; readonly digest: string; readonly bytes: number }

async function curl(...args: readonly string[]): Promise<string> {
  const { stdout, stderr, exitCode } = await run(['curl', '-sSf', '-m', '120', ...args])
  if (exitCode !== 0) throw new Error(`curl ${args.join(' ')}: ${stderr}`)
  return stdout
}

/** Pushes a blob of that many megabytes that nothing can compress. */
export async function upload(port: number, repository: string, directory: string, megabytes: number): Promise<Blob> {
  const content = randomBytes(megabytes * 1_000_000)
  const digest = `sha256:${createHash('sha256').update(content).digest('hex')}`
  const file = join(directory, digest.slice(7, 19))
  await writeFile(file, content)
  const blob = { file, digest, bytes: content.length }
  await pushAgain(port, repository, blob)
  return blob
}

export async function pushAgain(port: number, repository: string, { file, digest }: Blob): Promise<void> {
  const base = `http://localhost:${port}`
  const begun = await curl('-X', 'POST', '-D', '-', '-o', '/dev/null', `${base}/v2/${repository}/blobs/uploads/`)
  const location = new URL(/^location: (.*)$/im.exec(begun)?.[1]?.trim() ?? '', base)
  location.searchParams.set('digest', digest)
  await curl('-X', 'PUT', '-H', 'content-type: application/octet-stream', '-T', file, location.href)
}

export async function pullAgain(port: number, repository: string, { digest, bytes }: Blob): Promise<void> {
  const url = `http://localhost:${port}/v2/${repository}/blobs/${digest}`
  const arrived = await curl('-o', '/dev/null', '-w', '%{size_download}', url)
  if (Number(arrived) !== bytes) throw new Error(`${arrived} bytes of ${bytes} arrived`)
}
