import type { MeshTarget } from '../../domain/forward/identity.ts'
import { registryPrincipal, registrySni } from '../../domain/stack/developer-access.ts'
import type { ForwardPorts, TransportNews } from '../../ports/forward.ts'
import { carried } from './carried.ts'
import { Gateway } from './gateway.ts'
import { KnownAccess, readAccess } from './mesh-access.ts'
import { chooseAccount } from './mesh-account.ts'
import { MeshIdentity } from './mesh-identity.ts'
import { MeshTransport } from './mesh-transport.ts'
import { RegistryEntrance } from './registry-entrance.ts'
import type { ForwardInput, Way } from './way.ts'

const LIFETIME = 3_600

/**
 * Through the developers' gateway with an identity of the developer's own, so that every policy applies.
 * @throws precondition errors NO_DEVELOPER_ACCESS, NO_DEVELOPER_INGRESS, NO_IDENTITY and SEVERAL_IDENTITIES
 */
export async function meshWay(ports: ForwardPorts, input: ForwardInput): Promise<Way> {
  const { port, identity, open } = await knownMesh(ports, input)
  return { mode: 'mesh', port, identity, serve: carried(ports, (tell) => open(tell).transport) }
}

/** Closing the transport closes the others. */
export type OpenMesh = {
  readonly transport: MeshTransport
  readonly entrance: RegistryEntrance
  readonly identity: MeshIdentity
}

export type KnownMesh = {
  readonly port: number
  /** `NAMESPACE/SERVICEACCOUNT` */
  readonly identity: string
  /** What the gateway leads to. */
  readonly target: Pick<MeshTarget, 'sni' | 'principal'>
  open(tell: (news: TransportNews) => void): OpenMesh
}

/** What the modes with an identity of the developer's own find before anything is opened. */
export async function knownMesh(ports: ForwardPorts, input: ForwardInput): Promise<KnownMesh> {
  const { namespace, transport: choice, gateway: address, lifetimeSeconds: seconds = LIFETIME } = input
  const [read, account] = await inOrder(readAccess(ports, namespace), chooseAccount(ports, input.identity))
  const { port, clusterDomain, trustDomain } = read
  const target = {
    sni: registrySni({ namespace, port, clusterDomain }),
    principal: registryPrincipal({ namespace }, trustDomain),
  }
  return {
    port,
    identity: `${account.namespace}/${account.serviceAccount}`,
    target,
    open: (tell) => {
      const access = new KnownAccess(ports, namespace, read)
      const given = address === undefined ? {} : { address }
      let known: MeshIdentity | undefined
      const certificate = () => known?.current
      const search = { access, registry: target, certificate }
      const gateway = new Gateway(ports, { ...search, namespace, transport: choice, ...given })
      const entrance = new RegistryEntrance(ports, { ...search, gateway, direct: address === undefined })
      const identity = new MeshIdentity(ports, { account, seconds, access, gateway })
      known = identity
      const { mesh, clock } = ports
      const transport = new MeshTransport({ mesh, clock, entrance, identity, ...target, tell })
      return { transport, entrance, identity }
    },
  }
}

/** Side by side, but what the first lacks is told before what the second does. */
async function inOrder<One, Other>(one: Promise<One>, other: Promise<Other>): Promise<readonly [One, Other]> {
  other.catch(() => {})
  return [await one, await other]
}
