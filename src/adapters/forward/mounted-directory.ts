import { once } from 'node:events'
import { mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { preconditionError } from '../../errors.ts'
import type { MountedDirectory } from '../../ports/forward.ts'
import { afterwards } from '../exec.ts'
import { isGone, ownerOf } from './owner.ts'

const PREFIX = 'regctl-'

/** Keys belong in memory; the last one is a disk's. */
const places = (): readonly string[] => [
  ...(process.env.XDG_RUNTIME_DIR ? [process.env.XDG_RUNTIME_DIR] : []),
  '/dev/shm',
  join(process.env.XDG_STATE_HOME || join(homedir(), '.local', 'state'), 'regctl'),
]

export async function mountedDirectory(...inside: readonly string[]): Promise<MountedDirectory> {
  await Promise.all(places().map(sweep))
  const path = await make()
  const remove = afterwards(['rm', '-rf', path])
  const servers: Server[] = []
  for (const name of inside) await mkdir(join(path, name), { mode: 0o700 })
  return {
    path,
    async write(files) {
      for (const [name, text] of Object.entries(files)) {
        // In the directory above, so that whoever watches sees the finished file alone.
        const temporary = join(path, `.${name.replaceAll('/', '-')}`)
        await writeFile(temporary, text, { mode: 0o600 })
        await rename(temporary, join(path, name))
      }
    },
    async answer(socket, content) {
      const server = createServer((_request, response) => {
        content().then(
          (value) => response.writeHead(200, { 'content-type': 'application/json' }).end(`${JSON.stringify(value)}\n`),
          () => response.writeHead(500).end(),
        )
      })
      servers.push(server)
      server.listen(join(path, socket))
      await once(server, 'listening')
    },
    async remove() {
      for (const server of servers) {
        server.closeAllConnections()
        server.close()
      }
      await remove()
    },
  }
}

async function make(): Promise<string> {
  const name = `${PREFIX}${await ownerOf(process.pid)}-`
  const failures: string[] = []
  for (const place of places()) {
    try {
      // A name nobody can have made before, and 0700 by itself.
      return await mkdtemp(join(place, name))
    } catch (error) {
      failures.push((error as Error).message)
    }
  }
  throw preconditionError('NO_DIRECTORY', `no place for the proxy's key and certificate: ${failures.join('; ')}`, {
    suggestions: ['export XDG_RUNTIME_DIR=$(mktemp -d)'],
  })
}

async function sweep(place: string): Promise<void> {
  for (const name of await readdir(place).catch(() => [])) {
    if (!name.startsWith(PREFIX)) continue
    const owner = name.slice(PREFIX.length, name.lastIndexOf('-'))
    if (await isGone(owner)) await rm(join(place, name), { recursive: true, force: true }).catch(() => undefined)
  }
}
