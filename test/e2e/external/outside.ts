import { mkdtemp, readFile, writeFile } from 'node:fs/promises'
import { request } from 'node:https'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { remove } from '../attacks/kit.ts'
import { someNodes } from '../clients.ts'
import { eventually, type Run, regctl, regctlOk } from '../cluster.ts'
import { type Certificate, certificateOf, forget, hostsFile, outside, secretOf } from '../expose/certificate.ts'
import { EXPOSE, ensureHome, nodePort } from '../expose/stage.ts'
import { succeed } from '../matrix/workstation.ts'

const HOST = 'tokens.e2e.example'
const SECRET = 'e2e-external'

export type Call = {
  readonly method?: string
  readonly path: string
  readonly token?: string
  readonly headers?: Readonly<Record<string, string>>
}

/** Somebody on the internet: what the exposed host says to requests, and to clients that have a token. */
export class Outside implements AsyncDisposable {
  readonly #certificate: Certificate
  readonly #hosts: string
  readonly #ip: string
  readonly #port: number

  private constructor(certificate: Certificate, hosts: string, ip: string, port: number) {
    this.#certificate = certificate
    this.#hosts = hosts
    this.#ip = ip
    this.#port = port
  }

  /** Exposes these repositories by a port of the nodes. */
  static async open(...repositories: readonly string[]): Promise<Outside> {
    await ensureHome()
    await remove('secret', [SECRET], '-n', EXPOSE)
    const certificate = await certificateOf(HOST)
    await secretOf(EXPOSE, SECRET, certificate)
    await regctlOk(['expose', HOST, ...repositories, '--tls', SECRET, '--type', 'NodePort'])
    const ip = (await someNodes())[0]?.ip ?? ''
    const hosts = await hostsFile(certificate.directory, ip, HOST)
    const opened = new Outside(certificate, hosts, ip, await nodePort())
    await eventually(
      async () => (await opened.ask({ path: '/v2/' })) === 200 || Promise.reject(new Error('not open yet')),
    )
    return opened
  }

  /** The registry's name, as clients write it. */
  get host(): string {
    return `${HOST}:${this.#port}`
  }

  /** What a daemon has to take for the machine's own. */
  get machine(): { readonly hosts: string; readonly roots: string } {
    return { hosts: this.#hosts, roots: this.#certificate.certificate }
  }

  get directory(): string {
    return this.#certificate.directory
  }

  /** The status of an answer. */
  async ask({ method = 'GET', path, token, headers = {} }: Call): Promise<number> {
    const ca = await readFile(this.#certificate.certificate)
    const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` }
    return new Promise((resolve, reject) => {
      const asked = request({
        ...{ host: this.#ip, port: this.#port, servername: HOST, ca, agent: false, method, path },
        headers: { host: this.host, ...authorization, ...headers },
      })
      asked.setTimeout(10_000, () => asked.destroy(new Error(`${method} ${path}: no answer`)))
      asked.on('error', reject)
      asked.on('response', async (answer) => {
        await text(answer)
        resolve(answer.statusCode ?? 0)
      })
      asked.end()
    })
  }

  /** The status of each, by its name. */
  async statuses(calls: Readonly<Record<string, Call>>): Promise<Record<string, number>> {
    const answers = Object.entries(calls).map(async ([name, call]) => [name, await this.ask(call)] as const)
    return Object.fromEntries(await Promise.all(answers))
  }

  /** A program of the user's. With a token it has that in its Docker configuration, as CI leaves it there. */
  async client(argv: readonly string[], token?: string, env: Readonly<Record<string, string>> = {}): Promise<Run> {
    const config = await mkdtemp(join(this.directory, 'docker-'))
    const auths = token === undefined ? {} : { [this.host]: { registrytoken: token } }
    await writeFile(join(config, 'config.json'), JSON.stringify({ auths }))
    const variables = Object.entries({ DOCKER_CONFIG: config, ...env }).map(([name, value]) => `${name}=${value}`)
    const roots = this.#certificate.certificate
    return outside(this.#hosts, roots, ['env', '-C', this.directory, ...variables, ...argv])
  }

  /** A layer that no registry has. */
  async layer(): Promise<string> {
    const file = join(this.directory, 'layer.tar')
    await writeFile(join(this.directory, 'content'), `${Math.random()}`)
    await succeed(['tar', 'cf', file, '-C', this.directory, 'content'])
    return file
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await regctl(['unexpose', HOST])
    await forget(this.#certificate)
  }
}

export const uploadTo = (repository: string, token?: string): Call => ({
  method: 'POST',
  path: `/v2/${repository}/blobs/uploads/`,
  ...(token === undefined ? {} : { token }),
})
