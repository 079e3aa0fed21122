import type { RequestHead } from './request-head.ts'

/** Why a request is not forwarded: status and code of the OCI distribution specification's error body. */
export type Refusal = { readonly status: number; readonly code: string; readonly message: string }

const NAMES = ['localhost', '127.0.0.1', '[::1]']

/** The names a client on this machine may call the forward by. Without the port only where HTTP implies it. */
export function ownHosts(port: number, addresses: readonly string[] = []): readonly string[] {
  const all = [...NAMES, ...addresses.map((address) => (address.includes(':') ? `[${address}]` : address))]
  const names = [...new Set(all)]
  return [...names.map((name) => `${name}:${port}`), ...(port === 80 ? names : [])]
}

/**
 * Whoever may open a connection to the loopback may use the registry, but a web page must not: by a name that resolves to
 * 127.0.0.1 (DNS rebinding; its Host is that name) or by a request across origins (its Origin tells).
 */
export function refusalOf(
  head: RequestHead,
  hosts: readonly string[],
  origins: readonly string[] = hosts,
): Refusal | undefined {
  const [host, ...more] = head.hosts
  if (host === undefined || more.length > 0)
    return { status: 400, code: 'UNSUPPORTED', message: 'a request has to have exactly one Host header' }
  const named = [host, ...authorityOf(head.target)]
  const foreign = named.find((name) => !hosts.includes(name.toLowerCase()))
  if (foreign !== undefined) {
    const message = `regctl serves ${hosts[0]} here and no other name, so the request for the host "${foreign}" is refused`
    return { status: 421, code: 'DENIED', message }
  }
  const origin = head.origins.find((one) => !origins.some((own) => one.toLowerCase() === `http://${own}`))
  if (origin === undefined) return undefined
  return { status: 403, code: 'DENIED', message: `requests from the web page "${origin}" are refused` }
}

/** A target such as `http://host/path` counts instead of the Host header (https://www.rfc-editor.org/rfc/rfc9112#section-3.2.2). */
function authorityOf(target: string): readonly string[] {
  if (target.startsWith('/') || target === '*') return []
  return [/^http:\/\/([^/?#]*)/i.exec(target)?.[1] ?? target]
}

const REASONS: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  403: 'Forbidden',
  408: 'Request Timeout',
  421: 'Misdirected Request',
  431: 'Request Header Fields Too Large',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
}

export const refusalText = (refusal: Refusal, method = 'GET'): string =>
  responseText(
    refusal.status,
    { errors: [{ code: refusal.code, message: `regctl: ${refusal.message}`, detail: null }] },
    method,
  )

/** A whole HTTP response, the last of its connection. */
export function responseText(status: number, content: unknown, method: string): string {
  const body = `${JSON.stringify(content)}\n`
  const head = [
    `HTTP/1.1 ${status} ${REASONS[status] ?? 'OK'}`,
    'Content-Type: application/json',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
    ...(status === 503 ? ['Retry-After: 1'] : []),
  ]
  return `${head.join('\r\n')}\r\n\r\n${method === 'HEAD' ? '' : body}`
}
