import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { kubectlOk, type RunOptions, run } from '../cluster.ts'
import { succeed } from '../matrix/workstation.ts'

/** A self-signed certificate for one name of DNS, or one URI, in files. */
export type Certificate = { readonly directory: string; readonly certificate: string; readonly key: string }

/** Valid from `days` ago on where it is negative. */
export async function certificateOf(name: string, days = 30): Promise<Certificate> {
  const directory = await mkdtemp(join(tmpdir(), 'regctl-expose-'))
  const [certificate, key, request] = ['fullchain.pem', 'key.pem', 'request.pem'].map((file) => join(directory, file))
  const [extensions, config] = [join(directory, 'extensions'), join(directory, 'openssl.cnf')]
  await writeFile(
    extensions,
    `subjectAltName=${name.includes('://') ? 'URI' : 'DNS'}:${name}\nbasicConstraints=CA:TRUE\n`,
  )
  await writeFile(config, '[req]\ndistinguished_name = dn\n[dn]\n')
  const fresh = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-subj', '/O=regctl e2e']
  await succeed(['openssl', 'req', '-new', ...fresh, '-config', config, '-keyout', key ?? '', '-out', request ?? ''])
  const signed = ['-in', request ?? '', '-signkey', key ?? '', '-extfile', extensions, '-days', String(days)]
  await succeed(['openssl', 'x509', '-req', ...signed, '-out', certificate ?? ''])
  return { directory, certificate: certificate ?? '', key: key ?? '' }
}

export async function secretOf(namespace: string, name: string, { certificate, key }: Certificate): Promise<void> {
  await kubectlOk(['create', 'secret', 'tls', name, '-n', namespace, `--cert=${certificate}`, `--key=${key}`])
}

export const forget = ({ directory }: Certificate): Promise<void> => rm(directory, { recursive: true, force: true })

/** A file in the place of /etc/hosts, for programs that resolve by it. */
export async function hostsFile(directory: string, ip: string, ...names: readonly string[]): Promise<string> {
  const file = join(directory, 'hosts')
  await writeFile(file, `${await readFile('/etc/hosts', 'utf8')}\n${ip} ${names.join(' ')}\n`)
  return file
}

/** Runs a program that resolves the names of the file and trusts the certificate, as if both were the machine's. */
export const outside = (hosts: string, roots: string, argv: readonly string[], options: RunOptions = {}) =>
  run(['unshare', '--mount', 'sh', '-c', 'mount --bind "$0" /etc/hosts && exec "$@"', hosts, ...argv], {
    timeout: 60_000,
    ...options,
    env: { SSL_CERT_FILE: roots, ...options.env },
  })
