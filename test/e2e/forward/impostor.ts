import { once } from 'node:events'
import net, { type AddressInfo } from 'node:net'
import { createServer } from 'node:tls'
import { at, type Identity, type Way } from '../developers/way-in.ts'

export type Impostor = AsyncDisposable & {
  readonly address: string
  /** How often somebody asked for the registry. */
  readonly asked: () => number
  /** Until then it leads to the registry. */
  readonly standIn: () => void
}

/**
 * An address that leads to the mesh's authority as the gateway does, and where another workload of the mesh, with a
 * certificate of its own, stands in for the registry.
 */
export async function impostor(way: Way, { certificate, key }: Identity, honest = false): Promise<Impostor> {
  let asked = 0
  let standsIn = !honest
  const registry = createServer(
    { cert: certificate, key, ca: way.roots, requestCert: true, ALPNProtocols: ['istio'] },
    (socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'),
  )
  registry.on('tlsClientError', () => {})
  registry.listen(0, '127.0.0.1')
  await once(registry, 'listening')
  const server = net.createServer(async (client) => {
    const [hello] = (await once(client, 'data')) as [Buffer]
    client.pause()
    const wanted = standsIn && hello.includes('outbound_')
    if (wanted) asked += 1
    const gateway = at(way.addresses[0] ?? '')
    const behind = wanted
      ? net.connect((registry.address() as AddressInfo).port)
      : net.connect(gateway.port, gateway.host)
    for (const socket of [client, behind]) socket.on('error', () => {})
    behind.write(hello)
    client.pipe(behind).pipe(client)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked: () => asked,
    standIn: () => {
      standsIn = true
    },
    [Symbol.asyncDispose]: async () => {
      server.close()
      registry.close()
    },
  }
}
