import http from 'node:http'
import type { Duplex } from 'node:stream'
import type { HttpResponse } from '../../ports.ts'

export type StreamRequest = {
  readonly method: string
  readonly path: string
  readonly host: string
  readonly headers?: Readonly<Record<string, string>>
}

/** One HTTP/1.1 request over a stream that is already connected. */
export function requestOver(stream: Duplex, request: StreamRequest, signal: AbortSignal): Promise<HttpResponse> {
  return new Promise((resolve, reject) => {
    // A port nobody listens on is told at once, so the stream may be over before http looks at it, which then never ends.
    const over = () => reject(stream.errored ?? new Error('the connection was closed without an answer'))
    if (stream.destroyed) return over()
    stream.once('close', over)
    const outgoing = http.request({
      createConnection: () => stream,
      method: request.method,
      path: request.path,
      headers: { host: request.host, connection: 'close', ...request.headers },
      signal,
    })
    outgoing.on('error', reject)
    outgoing.on('response', (response) => {
      stream.off('close', over)
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', reject)
      response.on('end', () => {
        const headers: Record<string, string> = {}
        for (const [name, value] of Object.entries(response.headers)) headers[name] = String(value)
        resolve({ status: response.statusCode ?? 0, headers, body: Buffer.concat(chunks).toString('utf8') })
      })
    })
    outgoing.end()
  })
}
