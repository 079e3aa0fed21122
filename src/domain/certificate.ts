import { createPrivateKey, X509Certificate } from 'node:crypto'

/** What a gateway would make of a certificate; a fault is a clause about it. */
export type Certificate = { readonly fault: string } | { readonly validTo: Date; readonly names: string }

/** Reads the first certificate of a PEM text, and whether it is good for this host now and goes with the key. */
export function certificateFor(host: string, pem: string, key: string, now: number): Certificate {
  const certificate = read(pem)
  if (certificate === undefined) return { fault: 'its tls.crt is no certificate in PEM' }
  const [from, to] = [new Date(certificate.validFrom), new Date(certificate.validTo)]
  if (to.getTime() <= now) return { fault: `its certificate expired on ${day(to)}` }
  if (from.getTime() > now) return { fault: `its certificate is not valid before ${day(from)}` }
  const names = certificate.subjectAltName?.replaceAll('DNS:', '') ?? ''
  // The subject's own name counts for no client any more.
  if (certificate.checkHost(host, { subject: 'never' }) === undefined)
    return { fault: `its certificate is for ${names === '' ? 'no name' : names}, not for ${host}` }
  const isKey = goesWith(certificate, key)
  if (isKey === undefined) return { fault: 'its tls.key is no private key in PEM' }
  return isKey ? { validTo: to, names } : { fault: 'its tls.key is not the key of its certificate' }
}

const day = (date: Date): string => date.toISOString().slice(0, 10)

function read(pem: string): X509Certificate | undefined {
  try {
    return new X509Certificate(pem)
  } catch {
    return undefined
  }
}

function goesWith(certificate: X509Certificate, key: string): boolean | undefined {
  try {
    return certificate.checkPrivateKey(createPrivateKey(key))
  } catch {
    return undefined
  }
}
