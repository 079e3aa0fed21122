import { PROXY_IMAGE } from '../../domain/forward/container.ts'
import type { ForwardPorts } from '../../ports/forward.ts'
import { findEngine, obtainImage } from './engine.ts'
import { LocalProxy } from './local-proxy.ts'
import { knownMesh } from './mesh.ts'
import type { ForwardInput, Way } from './way.ts'

/**
 * As in mesh mode, but an Istio proxy in a container of this machine has the port and carries the bytes.
 * @throws what mesh mode throws, and precondition errors NO_ENGINE, ENGINE_DOWN, ENGINE_APART and NO_IMAGE
 */
export async function proxyWay(ports: ForwardPorts, input: ForwardInput): Promise<Way> {
  const { proxyImage: image = PROXY_IMAGE } = input
  const [mesh, engine] = await Promise.all([knownMesh(ports, input), findEngine(ports)])
  await obtainImage(ports, engine, image)
  return {
    mode: 'proxy',
    port: mesh.port,
    identity: mesh.identity,
    serve: (options, tell) => LocalProxy.open({ ports, engine, image, mesh, options, tell }),
  }
}
