import net from 'node:net'
import type { Programs } from '../../ports/forward.ts'
import { attach, run } from '../exec.ts'
import { requestOver } from '../kube/http-over-stream.ts'

const SOCKET_LIMIT = 10_000

export const programs: Programs = {
  run,
  attach,
  async askSocket(path, request) {
    const socket = net.connect({ path })
    socket.on('error', () => {})
    try {
      return await requestOver(
        socket,
        { method: 'GET', path: request, host: 'localhost' },
        AbortSignal.timeout(SOCKET_LIMIT),
      )
    } catch {
      return undefined
    } finally {
      socket.destroy()
    }
  },
}
