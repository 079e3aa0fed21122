import type { ForwardPorts, Transport, TransportNews } from '../../ports/forward.ts'
import type { Way } from './way.ts'

/** A port of regctl's own, whose connections a transport carries. */
export function carried(
  { listeners }: Pick<ForwardPorts, 'listeners'>,
  open: (tell: (news: TransportNews) => void) => Transport,
): Way['serve'] {
  return async (options, tell) => {
    const { promise, resolve } = Promise.withResolvers<Transport>()
    // Nothing is opened where the port is taken; who is early waits.
    const connect = async (signal: AbortSignal) => (await promise).connect(signal)
    const listener = await listeners.listen({ ...options, connect })
    const transport = open(tell)
    resolve(transport)
    const { port, addresses } = listener
    return {
      port,
      addresses,
      traffic: () => listener.traffic(),
      close: async () => {
        await Promise.all([listener.close(), transport.close()])
      },
    }
  }
}
