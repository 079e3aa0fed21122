import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createSecureServer, type Http2SecureServer, type ServerHttp2Stream } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { encodeAnswer } from './wire.ts'

const run = promisify(execFile)

/** A mesh's certificate authority by openssl, which checks requests and signs them. */
export class TestAuthority {
  readonly directory = mkdtempSync(join(tmpdir(), 'regctl-authority-'))
  #serial = 1

  static async create(): Promise<TestAuthority> {
    const authority = new TestAuthority()
    writeFileSync(authority.#file('openssl.cnf'), '[req]\ndistinguished_name = dn\n[dn]\n')
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
    await authority.#openssl(
      ...['req', '-x509', '-config', 'openssl.cnf', ...key, '-subj', '/O=root', '-keyout', 'ca.key', '-out', 'ca.crt'],
      ...['-addext', 'basicConstraints=critical,CA:TRUE', '-addext', 'keyUsage=keyCertSign,cRLSign'],
    )
    return authority
  }

  get roots(): string {
    return readFileSync(this.#file('ca.crt'), 'utf8')
  }

  /** A certificate with that subjectAltName, for a request or for a key of its own. */
  async issue(names: string, request?: string, days = 1): Promise<{ readonly cert: string; readonly key: string }> {
    const id = String(this.#serial++)
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', `${id}.key`]
    if (request === undefined)
      await this.#openssl('req', '-new', '-config', 'openssl.cnf', ...key, '-subj', '/', '-out', `${id}.csr`)
    else writeFileSync(this.#file(`${id}.csr`), request)
    await this.#openssl('req', '-config', 'openssl.cnf', '-in', `${id}.csr`, '-verify', '-noout')
    writeFileSync(this.#file(`${id}.ext`), `subjectAltName=critical,${names}\n`)
    await this.#openssl(
      ...['x509', '-req', '-in', `${id}.csr`, '-CA', 'ca.crt', '-CAkey', 'ca.key', '-set_serial', id],
      ...['-days', String(days), '-extfile', `${id}.ext`, '-out', `${id}.crt`],
    )
    const cert = readFileSync(this.#file(`${id}.crt`), 'utf8')
    return { cert, key: request === undefined ? readFileSync(this.#file(`${id}.key`), 'utf8') : '' }
  }

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true })
  }

  #file(name: string): string {
    return join(this.directory, name)
  }

  #openssl(...args: readonly string[]) {
    return run('openssl', args, { cwd: this.directory })
  }
}

export type Call = { readonly path: string; readonly token: string; readonly message: Buffer }

/** Speaks gRPC as istiod does, and answers what `answer` says: a chain, or a status with a message. */
export async function authorityServer(
  { cert, key }: { readonly cert: string; readonly key: string },
  answer: (call: Call) => Promise<readonly string[] | { readonly status: string; readonly message: string }>,
): Promise<{ readonly port: number; readonly server: Http2SecureServer }> {
  const server = createSecureServer({ cert, key, ALPNProtocols: ['h2'] })
  server.on('sessionError', () => {})
  server.on('stream', async (stream: ServerHttp2Stream, headers) => {
    const parts: Buffer[] = []
    for await (const part of stream) parts.push(part as Buffer)
    const [, token = ''] = /^Bearer (.*)$/.exec(String(headers.authorization)) ?? []
    const result = await answer({ path: String(headers[':path']), token, message: Buffer.concat(parts) })
    const type = { ':status': 200, 'content-type': 'application/grpc' }
    if ('status' in result)
      return stream.respond(
        { ...type, 'grpc-status': result.status, 'grpc-message': result.message },
        { endStream: true },
      )
    stream.respond(type, { waitForTrailers: true })
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }))
    stream.end(encodeAnswer(result))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { port: (server.address() as AddressInfo).port, server }
}
