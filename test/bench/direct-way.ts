import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { accountIdentity, at, wayIn } from '../e2e/developers/way-in.ts'
import { noProcess, type Way } from './ways.ts'

/**
 * The client itself at the registry's address outside, with the developer's certificate: what mesh and proxy mode could reach at best, for
 * nothing is between it and the registry's proxy. Undefined where the registry has no such address.
 */
export async function directWay(directory: string, namespace: string, account: string): Promise<Way | undefined> {
  const entrance = await wayIn()
  const [address] = entrance.registryAddresses
  if (address === undefined) return undefined
  const identity = await accountIdentity(entrance, namespace, account)
  const home = join(directory, 'direct')
  await mkdir(home)
  const files = { cert: join(home, 'certificate.pem'), key: join(home, 'key.pem') }
  await Promise.all([writeFile(files.cert, identity.certificate), writeFile(files.key, identity.key)])
  const { port } = at(address)
  // Its certificate names an identity and no host, which curl cannot check.
  const settings = ['insecure', 'http1.1', `cert = "${files.cert}"`, `key = "${files.key}"`]
  const place = [`connect-to = "localhost:${port}:${address}"`, 'header = "Host: localhost:5000"']
  await writeFile(join(home, '.curlrc'), [...settings, ...place].join('\n'))
  return {
    name: 'the client itself, with the certificate',
    url: `https://localhost:${port}`,
    prefix: ['env', `CURL_HOME=${home}`],
    ...noProcess,
  }
}
