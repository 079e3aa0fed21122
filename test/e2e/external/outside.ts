import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { request } from 'node:https'
import { type AddressInfo, connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { REGISTRY } from '../attacks/kit.ts'
import { applyText, eventually, kubectlOk, lab, type Run, type RunOptions, regctlOk, run } from '../cluster.ts'

export const HOST = 'registry.e2e.test'
const EXPOSE = `${REGISTRY}-expose`

export type Call = {
  readonly method?: string
  readonly path: string
  readonly token?: string
  readonly headers?: Readonly<Record<string, string>>
}
export type Answer = {
  readonly status: number
  readonly body: string
  readonly headers: Readonly<Record<string, unknown>>
}

/** Somebody on the internet: what the exposed host says to requests, and to clients that use a token. */
export class Outside implements AsyncDisposable {
  readonly #place: { readonly ip: string; readonly port: number }
  readonly #directory: string
  readonly #certificate: string

  private constructor(place: { readonly ip: string; readonly port: number }, directory: string, certificate: string) {
    this.#place = place
    this.#directory = directory
    this.#certificate = certificate
  }

  /** Exposes these repositories by a port of the nodes. */
  static async open(...repositories: readonly string[]): Promise<Outside> {
    const directory = await mkdtemp(join(tmpdir(), 'regctl-e2e-outside-'))
    const [key, certificate] = [join(directory, 'key.pem'), join(directory, 'cert.pem')]
    const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2']
    const names = ['-subj', `/CN=${HOST}`, '-addext', `subjectAltName=DNS:${HOST}`]
    await run(['openssl', 'req', '-x509', ...curve, ...names, '-keyout', key, '-out', certificate])
    await applyText(JSON.stringify({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: EXPOSE } }))
    const secret = await kubectlOk([
      ...['create', 'secret', 'tls', 'e2e-external', '-n', EXPOSE, '--cert', certificate, '--key', key],
      ...['--dry-run=client', '-o', 'json'],
    ])
    await applyText(secret)
    await regctlOk(['expose', HOST, ...repositories, '--tls', 'e2e-external', '--type', 'NodePort'])
    const port = ['get', 'service', '-n', EXPOSE, 'registry-expose', '-o', 'jsonpath={.spec.ports[0].nodePort}']
    const place = { ip: lab?.nodes[0]?.ip ?? '', port: Number(await kubectlOk(port)) }
    const outside = new Outside(place, directory, certificate)
    await eventually(() => outside.ask({ path: '/v2/' }))
    return outside
  }

  async ask({ method = 'GET', path, token, headers = {} }: Call): Promise<Answer> {
    const ca = await readFile(this.#certificate)
    return new Promise((resolve, reject) => {
      const asked = request({
        host: this.#place.ip,
        port: this.#place.port,
        servername: HOST,
        ca,
        method,
        path,
        agent: false,
        headers: { host: HOST, ...(token === undefined ? {} : { authorization: `Bearer ${token}` }), ...headers },
      })
      asked.setTimeout(10_000, () => asked.destroy(new Error(`${method} ${path}: no answer`)))
      asked.on('error', reject)
      asked.on('response', async (answer) =>
        resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: await text(answer) }),
      )
      asked.end()
    })
  }

  /** The answers' status, by the names of the requests. */
  async statuses(calls: Readonly<Record<string, Call>>): Promise<Record<string, number>> {
    const answers = Object.entries(calls).map(async ([name, call]) => [name, (await this.ask(call)).status] as const)
    return Object.fromEntries(await Promise.all(answers))
  }

  /** A client of the user's, which knows the token by its Docker configuration, as CI would leave it there. */
  async client(
    argv: readonly string[],
    auth?: Readonly<Record<string, string>>,
    { cwd, env = {} }: Pick<RunOptions, 'cwd' | 'env'> = {},
  ): Promise<Run> {
    const config = await mkdtemp(join(this.#directory, 'docker-'))
    const auths = auth === undefined ? {} : { [HOST]: auth }
    await writeFile(join(config, 'config.json'), JSON.stringify({ auths }))
    await using proxy = await leadingTo(this.#place)
    return await run(argv, {
      env: {
        DOCKER_CONFIG: config,
        SSL_CERT_FILE: this.#certificate,
        HTTPS_PROXY: `http://127.0.0.1:${proxy.port}`,
        ...env,
      },
      ...(cwd === undefined ? {} : { cwd }),
      timeout: 60_000,
    })
  }

  /** A layer to push. */
  async layer(): Promise<string> {
    const file = join(this.#directory, 'layer.tar')
    await writeFile(join(this.#directory, 'content'), `${Math.random()}`)
    await run(['tar', 'cf', file, '-C', this.#directory, 'content'])
    return file
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#directory, { recursive: true })
  }
}

/** A proxy by which every name leads to the gateway: no name server of this machine knows the host. */
async function leadingTo({ ip, port }: { readonly ip: string; readonly port: number }) {
  const server = createServer()
  server.on('connect', (_, client) => {
    const gateway = connect(port, ip, () => client.write('HTTP/1.1 200 OK\r\n\r\n'))
    for (const [from, to] of [
      [client, gateway],
      [gateway, client],
    ] as const)
      from.pipe(to).on('error', () => from.destroy())
    client.on('error', () => gateway.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      server.close()
    },
  }
}

export const uploadTo = (repository: string, token?: string): Call => ({
  method: 'POST',
  path: `/v2/${repository}/blobs/uploads/`,
  ...(token === undefined ? {} : { token }),
})
