import { spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { Agent, type IncomingHttpHeaders, request } from 'node:http'
import { text } from 'node:stream/consumers'
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls'
import { REGISTRY } from '../attacks/kit.ts'
import { kubectlOk } from '../cluster.ts'
import type { Identity, Way } from './way-in.ts'

/** By hand and apart from regctl's own: what the way in grants, it grants to any program. */
export const DEVELOPERS_SNI = `outbound_.5443_._.kube-registry-developers.${REGISTRY}.svc.cluster.local`
export const REGISTRY_ID = `spiffe://cluster.local/ns/${REGISTRY}/sa/kube-registry`

type Hello = { readonly sni?: string; readonly alpn?: readonly string[]; readonly identity?: Identity | undefined }

const tlsOptions = (way: Way, { sni, alpn, identity }: Hello): ConnectionOptions => ({
  host: way.host,
  port: way.port,
  ca: way.roots,
  ...(sni === undefined ? {} : { servername: sni }),
  ...(alpn === undefined ? {} : { ALPNProtocols: [...alpn] }),
  ...(identity === undefined || identity.certificate === '' ? {} : { cert: identity.certificate, key: identity.key }),
  checkServerIdentity: () => undefined,
})

/** Whose certificate answers to this name; undefined where nobody does. */
export function answering(way: Way, hello: Hello): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ ...tlsOptions(way, hello), rejectUnauthorized: false })
    const end = (who: string | undefined) => {
      socket.destroy()
      resolve(who)
    }
    socket.setTimeout(5000, () => end('silence'))
    socket.on('error', () => end(undefined))
    socket.on('close', () => resolve(undefined))
    socket.on('secureConnect', () => end(socket.getPeerCertificate().subjectaltname ?? 'somebody without a name'))
  })
}

type Answer = { readonly status: number; readonly headers: IncomingHttpHeaders; readonly body: string }
type Call = {
  readonly method?: string
  readonly path: string
  readonly type?: string
  readonly body?: Buffer
}

const dial = (way: Way, identity: Identity): TLSSocket =>
  connect({
    ...tlsOptions(way, { sni: DEVELOPERS_SNI, alpn: ['istio'], identity }),
    checkServerIdentity: (_host, { subjectaltname }) =>
      subjectaltname === `URI:${REGISTRY_ID}` ? undefined : new Error(`this is ${subjectaltname}`),
  })

/** Requests on one connection, for as long as it is left open. */
export class Line implements AsyncDisposable {
  dialled = 0
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 })

  constructor(way: Way, identity: Identity) {
    this.#agent.createConnection = () => {
      this.dialled++
      return dial(way, identity)
    }
  }

  call({ method = 'GET', path, type, body }: Call): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const headers = {
        host: 'localhost:5000',
        accept: 'application/vnd.oci.image.manifest.v1+json',
        ...(type === undefined ? {} : { 'content-type': type }),
        ...(body === undefined ? {} : { 'content-length': body.length }),
      }
      const asked = request({ agent: this.#agent, method, path, headers })
      asked.setTimeout(10_000, () => asked.destroy(new Error(`${method} ${path}: no answer`)))
      asked.on('error', reject)
      asked.on('response', async (answer) =>
        resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: await text(answer) }),
      )
      asked.end(body)
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#agent.destroy()
  }
}

/** One request on a connection of its own. */
export async function call(way: Way, identity: Identity, one: Call): Promise<Answer> {
  await using line = new Line(way, identity)
  return await line.call(one)
}

export const uploadTo = (repository: string): Call => ({ method: 'POST', path: `/v2/${repository}/blobs/uploads/` })

/** An image of one small layer; gives the digest of its manifest. */
export async function push(way: Way, identity: Identity, repository: string, tag: string): Promise<string> {
  const type = 'application/vnd.oci.image'
  const put = async (bytes: Buffer, kind: string) => {
    const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`
    const { status, headers, body } = await call(way, identity, uploadTo(repository))
    if (status !== 202) throw new Error(`upload to ${repository}: ${status} ${body}`)
    const path = `${headers.location}&digest=${digest}`
    const stored = await call(way, identity, { method: 'PUT', path, type: 'application/octet-stream', body: bytes })
    if (stored.status !== 201) throw new Error(`blob of ${repository}: ${stored.status} ${stored.body}`)
    return { mediaType: `${type}.${kind}`, size: bytes.length, digest }
  }
  const config = await put(Buffer.from('{"architecture":"amd64","os":"linux"}'), 'config.v1+json')
  const layers = [await put(randomBytes(3000), 'layer.v1.tar')]
  const mediaType = `${type}.manifest.v1+json`
  const manifest = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, config, layers }))
  const path = `/v2/${repository}/manifests/${tag}`
  const { status, body } = await call(way, identity, { method: 'PUT', path, type: mediaType, body: manifest })
  if (status !== 201) throw new Error(`manifest of ${repository}:${tag}: ${status} ${body}`)
  return `sha256:${createHash('sha256').update(manifest).digest('hex')}`
}

/** A port of this machine that leads to the gateway's pod. */
export async function gatewayForward(
  ...flags: readonly string[]
): Promise<AsyncDisposable & { readonly port: number }> {
  const namespace = `${REGISTRY}-ingress`
  const name = await kubectlOk([
    ...['get', 'pods', '-n', namespace, '-l', 'app=registry-ingress', '--field-selector=status.phase=Running'],
    ...['-o', 'jsonpath={.items[?(@.status.containerStatuses[0].ready==true)].metadata.name}', ...flags],
  ])
  return forwardTo(namespace, `pod/${name.split(' ')[0]}`, 15_443, ...flags)
}

/** A port of this machine that leads to a pod's, or to that of one behind a Service. */
export async function forwardTo(
  namespace: string,
  target: string,
  to: number,
  ...flags: readonly string[]
): Promise<AsyncDisposable & { readonly port: number }> {
  const argv = ['port-forward', '-n', namespace, target, `:${to}`, ...flags]
  const child = spawn('kubectl', argv, { stdio: ['ignore', 'pipe', 'inherit'] })
  const port = await new Promise<number>((resolve, reject) => {
    child.on('exit', (code) => reject(new Error(`kubectl port-forward ended with ${code}`)))
    child.stdout.on('data', (text: Buffer) => {
      const [, found] = /127\.0\.0\.1:(\d+)/.exec(text.toString()) ?? []
      if (found !== undefined) resolve(Number(found))
    })
  })
  return { port, [Symbol.asyncDispose]: async () => void child.kill() }
}
