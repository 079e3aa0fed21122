import type { ExposeResult } from '../app/expose/expose.ts'
import type { Exposure } from '../domain/policy/exposure.ts'

/** What an exposure came to, and where to point its name. */
export function exposeText({ exposure, changed, addresses }: ExposeResult): string {
  const { host, way, gateway } = exposure
  const who =
    way === 'istio'
      ? `Whoever has a developer's grant reaches the registry as ${host}, by a certificate of the mesh`
      : `Everybody who reaches ${host} may pull ${repositoriesText(exposure)}`
  const where =
    way === 'shared'
      ? `Gateway ${gateway} answers to it.`
      : addresses.length === 0
        ? 'The gateway has no address of its own yet: regctl status'
        : `Point the name ${host} at ${addresses.join(', ')}.`
  return [`${who}${changed ? '' : ' (nothing to change)'}.`, ...(way === 'istio' ? [MESH_ALONE] : []), where].join('\n')
}

const MESH_ALONE =
  'Its certificates name identities of the mesh and no host, so docker and browsers cannot use it: --tls SECRET is for those.'

export const repositoriesText = ({ repositories, way }: Pick<Exposure, 'repositories' | 'way'>): string =>
  way === 'istio' ? 'what is granted' : repositories.length === 0 ? 'every repository' : repositories.join(', ')

/** Who ends the TLS, in a few words. */
export const wayText = ({ way, secret, gateway }: Exposure): string =>
  way === 'secret' ? `Secret ${secret}` : way === 'istio' ? 'Istio, end to end' : `Gateway ${gateway}`
