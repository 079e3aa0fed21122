import { type Certificate, certificateFor } from '../../domain/certificate.ts'
import { exposeNamespace, INSTALLATION_LABEL, type Installation } from '../../domain/installation.ts'
import { preconditionError } from '../../errors.ts'
import type { Ports } from '../../ports.ts'

type Secret = { readonly type?: string; readonly data?: Readonly<Record<string, string>> }

/** What is wrong with the Secret as the certificate of this host; a clause about it, or the certificate. */
export async function certificateIn(
  { kube, clock }: Pick<Ports, 'kube' | 'clock'>,
  namespace: string,
  name: string,
  host: string,
): Promise<Certificate | undefined> {
  const found = await kube.get({ apiVersion: 'v1', kind: 'Secret', namespace, name })
  if (found === undefined) return undefined
  const { type, data = {} } = found as Secret
  if (type !== 'kubernetes.io/tls') return { fault: `its type is "${type}", not kubernetes.io/tls` }
  const text = (key: string) => Buffer.from(data[key] ?? '', 'base64').toString('utf8')
  for (const key of ['tls.crt', 'tls.key']) if (text(key) === '') return { fault: `it has no ${key}` }
  return certificateFor(host, text('tls.crt'), text('tls.key'), clock.now())
}

/**
 * The certificate, good for the host now.
 * @throws precondition errors NO_CERTIFICATE and BAD_CERTIFICATE
 */
export async function requireCertificate(
  ports: Ports,
  at: Installation,
  namespace: string,
  name: string,
  host: string,
): Promise<void> {
  const found = await certificateIn(ports, namespace, name, host)
  const make = `kubectl create secret tls ${name} -n ${namespace} --cert=FULLCHAIN.pem --key=KEY.pem`
  if (found === undefined)
    throw preconditionError(
      'NO_CERTIFICATE',
      `Secret ${namespace}/${name} does not exist, and a gateway reads certificates of its own namespace alone`,
      { suggestions: [...(await makeNamespace(ports, at, namespace)), make] },
    )
  if ('fault' in found)
    throw preconditionError('BAD_CERTIFICATE', `Secret ${namespace}/${name} cannot be used: ${found.fault}`, {
      suggestions: [`kubectl delete secret -n ${namespace} ${name}`, make],
    })
}

/** Our gateway's namespace comes with the first exposure; who puts the certificate there before makes it ours. */
async function makeNamespace({ kube }: Ports, at: Installation, namespace: string): Promise<readonly string[]> {
  if (namespace !== exposeNamespace(at)) return []
  if ((await kube.get({ apiVersion: 'v1', kind: 'Namespace', name: namespace })) !== undefined) return []
  return [
    `kubectl create namespace ${namespace}`,
    `kubectl label namespace ${namespace} ${INSTALLATION_LABEL}=${at.namespace}`,
  ]
}
