import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import type { IncomingHttpHeaders } from 'node:http'
import { connect as http2Connect } from 'node:http2'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { REGISTRY } from '../attacks/kit.ts'
import { kubectl, kubectlOk, type Run } from '../cluster.ts'
import { field, fieldsOf, framed, varint } from './protobuf.ts'

/** What a developer reads of the way in, and where it is tried. */
export type Way = {
  readonly host: string
  readonly port: number
  readonly roots: string
  readonly authority: string
  readonly addresses: readonly string[]
  /** Where the registry's own proxy answers. */
  readonly registryAddresses: readonly string[]
}

export type Identity = { readonly certificate: string; readonly key: string }

export async function wayIn(...flags: readonly string[]): Promise<Way> {
  const read = await kubectlOk(['get', 'configmap', 'developer-access', '-n', REGISTRY, '-o', 'json', ...flags])
  const { data } = JSON.parse(read) as { data: Readonly<Record<string, string>> }
  const lines = (text = '') => text.split('\n').filter((line) => line !== '')
  const addresses = lines(data.addresses)
  return {
    ...at(addresses[0] ?? ':0'),
    roots: data['root-cert.pem'] ?? '',
    authority: data.authority ?? '',
    addresses,
    registryAddresses: lines(data.registryAddresses),
  }
}

export function at(address: string): { readonly host: string; readonly port: number } {
  const colon = address.lastIndexOf(':')
  return { host: address.slice(0, colon), port: Number(address.slice(colon + 1)) }
}

export const tokenOf = (namespace: string, account: string, ...flags: readonly string[]): Promise<Run> =>
  kubectl(['create', 'token', account, '-n', namespace, '--audience', 'istio-ca', ...flags])

/** Asks istiod through the gateway, as a proxy does beside a pod: by a token, or by a certificate to renew it. */
export async function certify(way: Way, proof: string | Identity): Promise<Identity> {
  const directory = await mkdtemp(join(tmpdir(), 'regctl-e2e-key-'))
  try {
    const [key, csr] = [join(directory, 'key'), join(directory, 'csr')]
    const config = join(directory, 'openssl.cnf')
    await writeFile(config, '[req]\ndistinguished_name = dn\n[dn]\n')
    const flags = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-subj', '/', '-config', config]
    await promisify(execFile)('openssl', ['req', '-new', ...flags, '-keyout', key, '-out', csr])
    const certificate = await signed(way, proof, await readFile(csr))
    return { certificate, key: await readFile(key, 'utf8') }
  } finally {
    await rm(directory, { recursive: true })
  }
}

export const accountIdentity = async (way: Way, namespace: string, account: string): Promise<Identity> =>
  certify(way, (await tokenOf(namespace, account)).stdout.trim())

const VALID_SECONDS = 3600

/** IstioCertificateRequest {csr: 1, validity_duration: 3} and its answer {cert_chain: 1 repeated}. */
async function signed(way: Way, proof: string | Identity, csr: Buffer): Promise<string> {
  const message = Buffer.concat([field(1, csr), Buffer.from([0x18, ...varint(VALID_SECONDS)])])
  const session = http2Connect(`https://${way.host}:${way.port}`, {
    ca: way.roots,
    servername: way.authority,
    ...(typeof proof === 'string' ? {} : { cert: proof.certificate, key: proof.key }),
  })
  try {
    return await new Promise<string>((resolve, reject) => {
      session.on('error', reject)
      const stream = session.request({
        ':method': 'POST',
        ':path': '/istio.v1.auth.IstioCertificateService/CreateCertificate',
        'content-type': 'application/grpc',
        te: 'trailers',
        ...(typeof proof === 'string' ? { authorization: `Bearer ${proof}` } : {}),
      })
      const parts: Buffer[] = []
      let [status, detail] = ['', '']
      const seen = (headers: IncomingHttpHeaders) => {
        status = String(headers['grpc-status'] ?? status)
        detail = String(headers['grpc-message'] ?? detail)
      }
      stream.on('response', seen).on('trailers', seen)
      stream.on('error', reject)
      stream.on('data', (part: Buffer) => parts.push(part))
      stream.on('end', () => {
        if (status === '0') resolve(fieldsOf(Buffer.concat(parts).subarray(5), 1).join(''))
        else reject(new Error(`istiod answers ${status}: ${detail}`))
      })
      stream.end(framed(message))
    })
  } finally {
    session.close()
  }
}
