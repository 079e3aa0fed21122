import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { run } from './command.ts'
import { controlPlaneIp, places } from './network.ts'
import { inState } from './paths.ts'

interface Certificate {
  readonly name: string
  readonly subject: string
  readonly san?: string
  /** Also written as NAME.conf, a kubeconfig. */
  readonly kubeconfig?: boolean
}

const apiServerNames = `IP:${controlPlaneIp},IP:10.96.0.1,IP:127.0.0.1,DNS:localhost,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc`

const certificates: readonly Certificate[] = [
  { name: 'apiserver', subject: '/CN=kube-apiserver', san: apiServerNames },
  { name: 'kubelet-client', subject: '/O=system:masters/CN=apiserver-kubelet-client' },
  { name: 'front-proxy', subject: '/CN=front-proxy-client' },
  { name: 'admin', subject: '/O=system:masters/CN=admin', kubeconfig: true },
  { name: 'controller-manager', subject: '/CN=system:kube-controller-manager', kubeconfig: true },
  { name: 'scheduler', subject: '/CN=system:kube-scheduler', kubeconfig: true },
  { name: 'proxy', subject: '/CN=system:kube-proxy', kubeconfig: true },
  ...places.map(({ name, ip }) => ({
    name,
    subject: `/O=system:nodes/CN=system:node:${name}`,
    san: `DNS:${name},IP:${ip}`,
    kubeconfig: true,
  })),
]

const directory = inState('pki')
export const pkiFile = (name: string): string => inState('pki', name)

const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '365']

export async function createPki(): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 })
  // openssl's own configuration would add extensions of a CA to every certificate.
  await writeFile(pkiFile('openssl.cnf'), '[req]\ndistinguished_name = dn\n[dn]\n')
  const openssl = (...args: string[]): Promise<string> => run(['openssl', ...args], { cwd: directory })
  const request = ['req', '-x509', '-config', 'openssl.cnf', ...newKey]
  await openssl(
    ...request,
    '-subj',
    '/CN=regctl-lab',
    '-keyout',
    'ca.key',
    '-out',
    'ca.crt',
    '-addext',
    'basicConstraints=critical,CA:TRUE',
    '-addext',
    'subjectKeyIdentifier=hash',
    '-addext',
    'keyUsage=keyCertSign,cRLSign',
  )
  await openssl('genrsa', '-out', 'sa.key', '2048')
  await openssl('rsa', '-in', 'sa.key', '-pubout', '-out', 'sa.pub')
  await Promise.all(
    certificates.map(async ({ name, subject, san, kubeconfig }) => {
      await openssl(
        ...request,
        '-CA',
        'ca.crt',
        '-CAkey',
        'ca.key',
        '-subj',
        subject,
        '-keyout',
        `${name}.key`,
        '-out',
        `${name}.crt`,
        '-addext',
        `subjectAltName=${san ?? `DNS:${name}`}`,
        '-addext',
        'extendedKeyUsage=serverAuth,clientAuth',
      )
      if (kubeconfig) await writeKubeconfig(name)
    }),
  )
}

async function writeKubeconfig(user: string): Promise<void> {
  const data = async (file: string): Promise<string> => (await readFile(pkiFile(file))).toString('base64')
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [
      {
        name: 'regctl-lab',
        cluster: { server: `https://${controlPlaneIp}:6443`, 'certificate-authority-data': await data('ca.crt') },
      },
    ],
    users: [
      {
        name: user,
        user: { 'client-certificate-data': await data(`${user}.crt`), 'client-key-data': await data(`${user}.key`) },
      },
    ],
    contexts: [{ name: 'regctl-lab', context: { cluster: 'regctl-lab', user } }],
    'current-context': 'regctl-lab',
  }
  // JSON is YAML.
  await writeFile(inState(`${user}.conf`), JSON.stringify(config, undefined, 2), { mode: 0o600 })
}
