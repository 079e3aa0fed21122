import { randomBytes } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { eventually, kubectlOk, run } from '../cluster.ts'

type User = Readonly<Record<string, unknown>>

/** A kubeconfig of somebody else's, who works in that namespace. */
export const kubeconfigOf = (directory: string, user: string, namespace: string): Promise<string> =>
  kubeconfigBy(directory, user, namespace, (self) => ({ ...self, as: user }))

/** The same with other credentials; `user` is given the suites' own. */
export async function kubeconfigBy(
  directory: string,
  name: string,
  namespace: string,
  user: (self: User) => User,
): Promise<string> {
  const config = JSON.parse(await kubectlOk(['config', 'view', '--raw', '--minify', '--flatten', '-o', 'json']))
  const [context] = config.contexts
  const [self] = config.users
  const file = join(directory, `${name}.json`)
  const theirs = {
    ...config,
    users: [{ ...self, user: user(self.user) }],
    contexts: [{ ...context, context: { ...context.context, namespace } }],
  }
  await writeFile(file, JSON.stringify(theirs), { mode: 0o600 })
  return file
}

/** A client certificate of the cluster's for a person in groups, as its authority gives them to people. */
export async function certificateOf(directory: string, name: string, ...groups: readonly string[]): Promise<User> {
  const [key, csr, config] = ['key', 'csr', 'cnf'].map((kind) => join(directory, `${name}.${kind}`)) as [
    string,
    string,
    string,
  ]
  await writeFile(config, '[req]\ndistinguished_name = dn\n[dn]\n')
  const subject = `${groups.map((group) => `/O=${group}`).join('')}/CN=${name}`
  const flags = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-config', config, '-subj', subject]
  const made = await run(['openssl', 'req', '-new', ...flags, '-keyout', key, '-out', csr])
  if (made.exitCode !== 0) throw new Error(made.stderr)
  const request = `e2e-${randomBytes(4).toString('hex')}`
  const object = {
    apiVersion: 'certificates.k8s.io/v1',
    kind: 'CertificateSigningRequest',
    metadata: { name: request },
    spec: {
      request: await readFile(csr, 'base64'),
      signerName: 'kubernetes.io/kube-apiserver-client',
      expirationSeconds: 3_600,
      usages: ['client auth'],
    },
  }
  await kubectlOk(['create', '-f', '-'], { input: JSON.stringify(object) })
  try {
    await kubectlOk(['certificate', 'approve', request])
    const certificate = await eventually(
      async () => {
        const found = await kubectlOk(['get', 'csr', request, '-o', 'jsonpath={.status.certificate}'])
        if (found === '') throw new Error('no certificate yet')
        return found
      },
      { every: 100, timeout: 20_000 },
    )
    return { 'client-certificate-data': certificate, 'client-key-data': await readFile(key, 'base64') }
  } finally {
    await kubectlOk(['delete', 'csr', request])
  }
}
