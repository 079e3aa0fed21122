import { registryPrincipal, registrySni } from '../../domain/stack/developer-access.ts'
import type { ForwardPorts } from '../../ports.ts'
import { Gateway } from './gateway.ts'
import { KnownAccess, readAccess } from './mesh-access.ts'
import { chooseAccount } from './mesh-account.ts'
import { MeshIdentity } from './mesh-identity.ts'
import { MeshTransport } from './mesh-transport.ts'
import type { ForwardInput, Way } from './way.ts'

const LIFETIME = 3_600

/**
 * Through the developers' gateway with an identity of the developer's own, so that every policy applies.
 * @throws precondition errors NO_DEVELOPER_ACCESS, NO_DEVELOPER_INGRESS, NO_IDENTITY and SEVERAL_IDENTITIES
 */
export async function meshWay(ports: ForwardPorts, input: ForwardInput): Promise<Way> {
  const { namespace, transport, gateway: address, lifetimeSeconds: seconds = LIFETIME } = input
  const [read, account] = await inOrder(readAccess(ports, namespace), chooseAccount(ports, input.identity))
  const { port, clusterDomain, trustDomain } = read
  return {
    mode: 'mesh',
    port,
    identity: `${account.namespace}/${account.serviceAccount}`,
    open: async (tell) => {
      const access = new KnownAccess(ports, namespace, read)
      const gateway = new Gateway(ports, {
        namespace,
        access,
        transport,
        ...(address === undefined ? {} : { address }),
      })
      return new MeshTransport({
        mesh: ports.mesh,
        clock: ports.clock,
        gateway,
        identity: new MeshIdentity(ports, { account, seconds, access, gateway }),
        sni: registrySni({ namespace, port, clusterDomain }),
        principal: registryPrincipal({ namespace }, trustDomain),
        tell,
      })
    },
  }
}

/** Side by side, but what the first lacks is told before what the second does. */
async function inOrder<One, Other>(one: Promise<One>, other: Promise<Other>): Promise<readonly [One, Other]> {
  other.catch(() => {})
  return [await one, await other]
}
