/** What a forward looks at of the first request of a connection. */
export type RequestHead = {
  readonly method: string
  readonly target: string
  readonly hosts: readonly string[]
  readonly origins: readonly string[]
}

export type Reading =
  | { readonly kind: 'partial' }
  | { readonly kind: 'head'; readonly head: RequestHead }
  | { readonly kind: 'malformed'; readonly why: string }

const END = '\r\n\r\n'
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/
const REQUEST_LINE = /^([A-Z][A-Z-]*) ([\x21-\x7e]+) HTTP\/1\.[01]$/
// A bare CR or LF ends a line for some servers, an obsolete fold continues one: each hides a header from one of two readers.
const AMBIGUOUS = /\r(?!\n)|(?<!\r)\n|\r\n[ \t]|\0/

/**
 * Reads the head of an HTTP/1 request as strictly as the standard allows, because the registry reads it again:
 * what the two could understand differently is refused (https://www.rfc-editor.org/rfc/rfc9112#section-11.2).
 */
export function readHead(bytes: Buffer): Reading {
  const first = bytes[0]
  if (first === undefined) return { kind: 'partial' }
  // A TLS handshake has no line end to wait for.
  if (first < 0x41 || first > 0x5a) return { kind: 'malformed', why: 'this is not an HTTP/1 request' }
  const end = bytes.indexOf(END)
  if (end < 0) return { kind: 'partial' }
  const text = bytes.toString('latin1', 0, end)
  if (AMBIGUOUS.test(text)) return { kind: 'malformed', why: 'the header lines are ambiguous' }
  const [line = '', ...fields] = text.split('\r\n')
  const match = REQUEST_LINE.exec(line)
  if (match === null) return { kind: 'malformed', why: 'this is not an HTTP/1 request line' }
  const values = new Map<string, string[]>()
  for (const field of fields) {
    const colon = field.indexOf(':')
    const name = field.slice(0, colon)
    if (colon < 1 || !TOKEN.test(name)) return { kind: 'malformed', why: 'a header line has no name' }
    const key = name.toLowerCase()
    values.set(key, [...(values.get(key) ?? []), field.slice(colon + 1).trim()])
  }
  const [, method = '', target = ''] = match
  return {
    kind: 'head',
    head: { method, target, hosts: values.get('host') ?? [], origins: values.get('origin') ?? [] },
  }
}
