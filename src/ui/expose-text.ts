import type { ExposeResult } from '../app/expose/expose.ts'
import type { Exposure } from '../domain/policy/exposure.ts'

/** What an exposure came to, and where to point its name. */
export function exposeText({ exposure, changed, addresses }: ExposeResult): string {
  const { host } = exposure
  return [
    `Everybody who reaches ${host} may pull ${repositoriesText(exposure)}${changed ? '' : ' (nothing to change)'}.`,
    addresses.length === 0
      ? 'The gateway has no address of its own yet: regctl status'
      : `Point the name ${host} at ${addresses.join(', ')}.`,
  ].join('\n')
}

export const repositoriesText = ({ repositories }: Pick<Exposure, 'repositories'>): string =>
  repositories.length === 0 ? 'every repository' : repositories.join(', ')

/** Who ends the TLS, in a few words. */
export const wayText = ({ way, secret, gateway }: Exposure): string =>
  way === 'secret' ? `Secret ${secret}` : way === 'istio' ? 'Istio, end to end' : `Gateway ${gateway}`
