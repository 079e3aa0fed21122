import type { ForwardPorts, Listener, ListenOptions } from '../../ports/forward.ts'

export type Bound = Pick<Listener, 'port' | 'addresses'>

/** One that this machine's programs can have, and those of the addresses that it has. Another may be faster to take it. */
export async function freePort(
  { listeners }: Pick<ForwardPorts, 'listeners'>,
  { port, addresses, optional }: Pick<ListenOptions, 'port' | 'addresses' | 'optional'>,
): Promise<Bound> {
  const nothing = (): never => {
    throw new Error('nothing is forwarded yet')
  }
  const tried = await listeners.listen({
    ...{ port, addresses, optional },
    // Without a name of its own it refuses whoever asks.
    names: () => ({ hosts: [], origins: [] }),
    connect: async () => nothing(),
    report: nothing,
  })
  await tried.close()
  return { port: tried.port, addresses: tried.addresses }
}
