import { request } from 'node:http'
import type { LocalRegistry } from '../ports.ts'

const PATIENCE_MS = 2000

/** Asks what serves a port of this machine. */
export const localRegistry: LocalRegistry = {
  async probe(port, signal) {
    const answers = await Promise.all(['127.0.0.1', '::1'].map((host) => ask(host, port, signal)))
    return answers.find((answer) => answer === 'registry') ?? answers.find((answer) => answer === 'other') ?? 'nothing'
  },
}

function ask(host: string, port: number, signal: AbortSignal): Promise<Awaited<ReturnType<LocalRegistry['probe']>>> {
  return new Promise((resolve) => {
    const asking = request(
      { host, port, path: '/v2/', headers: { host: `localhost:${port}` }, signal, timeout: PATIENCE_MS },
      (response) => {
        response.destroy()
        // macOS serves AirPlay on port 5000; only a registry sends this header.
        resolve('docker-distribution-api-version' in response.headers ? 'registry' : 'other')
      },
    )
    asking.on('timeout', () => asking.destroy(new Error('no answer in time')))
    asking.on('error', (error: NodeJS.ErrnoException) =>
      resolve(error.code === 'ECONNREFUSED' || error.code === 'EADDRNOTAVAIL' ? 'nothing' : 'other'),
    )
    asking.end()
  })
}
