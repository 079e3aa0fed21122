import { INGRESS_PORT, type Installation } from '../../domain/installation.ts'
import { ingressType, type Settings } from '../../domain/settings.ts'
import type { DeveloperAccess } from '../../domain/stack/developer-access.ts'
import { developerGateway } from '../../domain/stack/gateway-admission.ts'
import type { MeshFacts } from '../../domain/stack/mesh-facts.ts'
import type { Ports } from '../../ports.ts'
import { gatewayAddresses, registryAddresses } from './gateway-addresses.ts'
import { meshRoots } from './mesh.ts'

/** What developers have to know, as the cluster is now. */
export async function developerAccess(
  ports: Ports,
  at: Installation,
  settings: Settings,
  mesh: Pick<MeshFacts, 'proxy' | 'authority'> & { readonly trustDomain: string },
): Promise<DeveloperAccess> {
  return {
    addresses: await gatewayAddresses(ports, developerGateway(at), ingressType(settings), INGRESS_PORT),
    registryAddresses: await registryAddresses(ports, at),
    roots: await meshRoots(ports, mesh.proxy),
    trustDomain: mesh.trustDomain,
    clusterDomain: at.clusterDomain,
    port: at.port,
    authority: mesh.authority.host,
  }
}
