import { generateKeyPair, type KeyObject, sign } from 'node:crypto'
import { promisify } from 'node:util'
import { BitString, Constructed, fromBER, Integer, ObjectIdentifier, Sequence } from 'asn1js'

export type SigningRequest = {
  readonly privateKey: KeyObject
  /** PKCS #10 in PEM (https://www.rfc-editor.org/rfc/rfc2986). */
  readonly request: string
}

const ECDSA_WITH_SHA256 = '1.2.840.10045.4.3.2'
const CONTEXT = 3

/** A new key and the request to sign it. It names nobody: the authority takes the name from the token. */
export async function signingRequest(): Promise<SigningRequest> {
  const { publicKey, privateKey } = await promisify(generateKeyPair)('ec', { namedCurve: 'P-256' })
  const subjectPublicKey = fromBER(publicKey.export({ type: 'spki', format: 'der' })).result
  const information = new Sequence({
    value: [
      new Integer({ value: 0 }),
      new Sequence({ value: [] }),
      subjectPublicKey,
      new Constructed({ idBlock: { tagClass: CONTEXT, tagNumber: 0 }, value: [] }),
    ],
  })
  const signature = sign('sha256', Buffer.from(information.toBER()), privateKey)
  const whole = new Sequence({
    value: [
      information,
      new Sequence({ value: [new ObjectIdentifier({ value: ECDSA_WITH_SHA256 })] }),
      new BitString({ valueHex: signature }),
    ],
  })
  return { privateKey, request: pem('CERTIFICATE REQUEST', Buffer.from(whole.toBER())) }
}

function pem(label: string, der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? []
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ''].join('\n')
}
