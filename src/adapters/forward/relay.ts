import { once } from 'node:events'
import net, { type AddressInfo, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Relay } from '../../ports/forward.ts'
import { join } from './join.ts'
import { ownAddress } from './own-address.ts'

/** A port of ours that leads on; what cannot be led on is closed. */
export async function openRelay(connect: (signal: AbortSignal) => Promise<Duplex>): Promise<Relay> {
  const end = new AbortController()
  const open = new Set<Socket>()
  const take = async (socket: Socket): Promise<void> => {
    open.add(socket)
    socket.once('close', () => open.delete(socket)).on('error', () => {})
    const peer = await connect(end.signal).catch(() => undefined)
    if (peer === undefined) return void socket.destroy()
    peer.on('error', () => {})
    await join(socket, peer)
    socket.destroy()
    peer.destroy()
  }
  const server = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => void take(socket))
  const host = ownAddress(process.platform)
  server.listen({ host, port: 0, exclusive: true })
  await once(server, 'listening')
  return {
    host,
    port: (server.address() as AddressInfo).port,
    async close() {
      end.abort()
      const closed = new Promise((resolve) => server.close(resolve))
      for (const socket of open) socket.destroy()
      await closed
    },
  }
}
