import { type Json, type } from './envoy.ts'
import type { IdentityMaterial } from './identity.ts'

type SecretName = 'identity' | 'roots'

const file = (name: SecretName, content?: Json): Json => ({
  resources:
    content === undefined ? [] : [{ ...type('envoy.extensions.transport_sockets.tls.v3.Secret'), name, ...content }],
})

/** Before there is a certificate. */
export const NO_SECRETS: Readonly<Record<string, Json>> = {
  'roots.json': file('roots'),
  'identity.json': file('identity'),
}

/** One secret in each file, by its name. Written anew by rename they are taken up without a connection being cut. */
export function secretFiles({ certificateChain, privateKey, roots }: IdentityMaterial): Readonly<Record<string, Json>> {
  return {
    'roots.json': file('roots', { validation_context: { trusted_ca: { inline_string: roots } } }),
    'identity.json': file('identity', {
      tls_certificate: {
        certificate_chain: { inline_string: certificateChain },
        private_key: { inline_string: privateKey },
      },
    }),
  }
}
