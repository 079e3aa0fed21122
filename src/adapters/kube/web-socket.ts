import { clusterError, type RegctlError } from '../../errors.ts'
import { connectionError, statusError, type Target } from './errors.ts'

/** What we use of the `ws` socket that client-node hands out. */
export type Socket = {
  readonly readyState: number
  addEventListener(name: 'close' | 'error', listener: () => void): void
  terminate(): void
}

const CLOSED = 3

/** Resolves when the socket is closed; an abort closes it at once and rejects. */
export async function untilClosed(socket: Socket, signal?: AbortSignal): Promise<void> {
  if (socket.readyState === CLOSED) return
  const end = (): void => socket.terminate()
  signal?.addEventListener('abort', end, { once: true })
  try {
    await new Promise<void>((resolve) => {
      socket.addEventListener('close', resolve)
      if (signal?.aborted) end()
    })
  } finally {
    signal?.removeEventListener('abort', end)
  }
  signal?.throwIfAborted()
}

/** Why a WebSocket did not open. `ws` gives an ErrorEvent whose message carries the HTTP status. */
export function socketError(cause: unknown, about: string, target: Target): RegctlError {
  const { message, error } = cause as { message?: string; error?: unknown }
  const status = /server response: (\d+)/.exec(message ?? '')?.[1]
  if (status !== undefined) return statusError(Number(status), '', about, target)
  if (error !== undefined) return connectionError(error, about, target)
  return clusterError('CLUSTER_REFUSED', `cannot ${about}: ${message ?? String(cause)}`, { cause })
}
