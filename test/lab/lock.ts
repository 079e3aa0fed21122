import { createServer } from 'node:net'

/** An abstract Unix socket: one holder per machine, gone with its process, no file to leave behind. */
const name = '\0regctl-lab'

export async function locked<Result>(
  work: () => Promise<Result>,
  onWait: () => void = () => undefined,
): Promise<Result> {
  const server = await acquire(onWait)
  try {
    return await work()
  } finally {
    server.close()
  }
}

async function acquire(onWait: () => void): Promise<ReturnType<typeof createServer>> {
  for (let attempt = 0; ; attempt += 1) {
    const server = createServer()
    const held = await new Promise<boolean>((resolve, reject) => {
      server.once('listening', () => resolve(true))
      server.once('error', (error: NodeJS.ErrnoException) =>
        error.code === 'EADDRINUSE' ? resolve(false) : reject(error),
      )
      server.listen(name)
    })
    if (held) return server
    if (attempt === 0) onWait()
    await new Promise((resolve) => setTimeout(resolve, 500))
  }
}
