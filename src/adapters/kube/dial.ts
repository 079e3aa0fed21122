import type { KubeConfig } from '@kubernetes/client-node'
import WebSocket from 'ws'
import type { RegctlError } from '../../errors.ts'
import { connectionError, credentialsError, statusError, type Target } from './errors.ts'

const HANDSHAKE_LIMIT = 15_000

export type Dialled = {
  readonly socket: WebSocket
  /** Listeners for messages must be there before: the first one comes in the same turn as the opening. */
  readonly opened: () => Promise<void>
}

/** A WebSocket to the API server, with the credentials of the kubeconfig. */
export async function dial(
  config: KubeConfig,
  path: string,
  protocols: string[],
  about: string,
  signal?: AbortSignal,
): Promise<Dialled> {
  const server = (config.getCurrentCluster()?.server ?? '').replace(/\/+$/, '')
  const target = { context: config.getCurrentContext(), server }
  const options: WebSocket.ClientOptions = {}
  await config
    .applyToHTTPSOptions(options as Parameters<KubeConfig['applyToHTTPSOptions']>[0])
    .catch((cause: unknown) => {
      throw credentialsError(cause, target)
    })
  signal?.throwIfAborted()
  const socket = new WebSocket(server.replace(/^http/, 'ws') + path, protocols, {
    ...options,
    handshakeTimeout: HANDSHAKE_LIMIT,
    perMessageDeflate: false,
    // Masks defend proxies against scripts in a browser; here they would cost a pass over every byte on both sides.
    generateMask: (mask) => void mask.fill(0),
  })
  return { socket, opened: () => opened(socket, about, target, signal) }
}

function opened(socket: WebSocket, about: string, target: Target, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (error: RegctlError | unknown): void => {
      signal?.removeEventListener('abort', abort)
      socket.on('error', () => {})
      socket.terminate()
      reject(error)
    }
    const abort = (): void => fail(signal?.reason)
    signal?.addEventListener('abort', abort, { once: true })
    socket.once('unexpected-response', (_request, response) => {
      let body = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => {
        body = (body + chunk).slice(0, 4_096)
      })
      response.on('error', () => {})
      response.on('close', () => fail(statusError(response.statusCode ?? 0, body, about, target)))
    })
    socket.once('error', (cause) => fail(connectionError(cause, about, target)))
    socket.once('open', () => {
      signal?.removeEventListener('abort', abort)
      resolve()
    })
  })
}
