import { expect, test } from 'vitest'
import { ownHosts, refusalOf, refusalText } from '../../../src/domain/forward/admission.ts'
import { readHead } from '../../../src/domain/forward/request-head.ts'

const read = (text: string) => readHead(Buffer.from(text, 'latin1'))
const get = (...lines: readonly string[]) =>
  read(`GET /v2/ HTTP/1.1\r\n${lines.map((line) => `${line}\r\n`).join('')}\r\n`)

test('a head is partial until its empty line, whatever comes behind it', () => {
  const text = 'POST /v2/a/blobs/uploads/ HTTP/1.1\r\nHost: localhost:5000\r\nContent-Length: 3\r\n\r\n'
  for (let length = 0; length < text.length; length += 1) expect(read(text.slice(0, length)).kind).toBe('partial')
  expect(read(`${text}\n\r\u0000`)).toEqual({
    kind: 'head',
    head: { method: 'POST', target: '/v2/a/blobs/uploads/', hosts: ['localhost:5000'], origins: [] },
  })
})

test.each([
  ['a TLS handshake', '\u0016\u0003\u0001'],
  ['a lower-case method', 'get / HTTP/1.1\r\n\r\n'],
  ['HTTP/2', 'PRI * HTTP/2.0\r\n\r\n'],
  ['HTTP/0.9', 'GET /\r\n\r\n'],
  ['a line that ends in LF alone', 'GET / HTTP/1.1\nHost: evil\r\n\r\n'],
  ['a CR inside of a line', 'GET / HTTP/1.1\r\nX: a\rHost: evil\r\n\r\n'],
  ['a folded header', 'GET / HTTP/1.1\r\nHost: localhost:5000\r\n evil\r\n\r\n'],
  ['a space before the colon', 'GET / HTTP/1.1\r\nHost : localhost:5000\r\n\r\n'],
  ['a header without a name', 'GET / HTTP/1.1\r\n: localhost:5000\r\n\r\n'],
  ['a zero byte', 'GET / HTTP/1.1\r\nHost: localhost:5000\u0000.evil\r\n\r\n'],
  ['two spaces in the request line', 'GET  / HTTP/1.1\r\n\r\n'],
])('%s is malformed', (_, text) => {
  expect(read(text).kind).toBe('malformed')
})

const status = (reading: ReturnType<typeof read>, hosts = ownHosts(5000)): number | undefined => {
  if (reading.kind !== 'head') throw new Error(reading.kind)
  return refusalOf(reading.head, hosts)?.status
}

test.each([
  ['Host: localhost:5000'],
  ['host:127.0.0.1:5000'],
  ['HOST:  [::1]:5000 '],
  ['Host: LocalHost:5000'],
  ['Host: localhost:5000', 'Origin: http://localhost:5000'],
])('%s %s is served', (...lines) => {
  expect(status(get(...lines))).toBeUndefined()
})

test.each([
  [421, ['Host: evil.example:5000']],
  [421, ['Host: localhost']],
  [421, ['Host: localhost:5001']],
  [421, ['Host: localhost:5000.evil.example']],
  [421, ['Host: evil@localhost:5000']],
  [421, ['Host: 0.0.0.0:5000']],
  [421, ['Host: ']],
  [400, ['X: y']],
  [400, ['Host: localhost:5000', 'Host: evil.example']],
  [403, ['Host: localhost:5000', 'Origin: http://evil.example']],
  [403, ['Host: localhost:5000', 'Origin: https://localhost:5000']],
  [403, ['Host: localhost:5000', 'Origin: null']],
  [403, ['Host: localhost:5000', 'Origin: http://localhost:5000', 'Origin: http://evil.example']],
])('%i for %j', (expected, lines) => {
  expect(status(get(...lines))).toBe(expected)
})

test('the host in the target counts as well', () => {
  const asked = (target: string) => status(read(`GET ${target} HTTP/1.1\r\nHost: localhost:5000\r\n\r\n`))
  expect(asked('http://localhost:5000/v2/')).toBeUndefined()
  expect(asked('http://evil.example/v2/')).toBe(421)
  expect(asked('evil.example:443')).toBe(421)
})

test('the port may be left out only where HTTP implies it', () => {
  expect(status(get('Host: localhost'), ownHosts(80))).toBeUndefined()
  expect(status(get('Host: localhost:80'), ownHosts(80))).toBeUndefined()
  expect(status(get('Host: 127.0.0.9:80'), ownHosts(80, ['127.0.0.9']))).toBeUndefined()
})

test('a refusal is an error of the distribution specification, without a body for HEAD', () => {
  const refusal = { status: 421, code: 'DENIED', message: 'no "x"\r\nX: y' }
  const [head = '', body = ''] = refusalText(refusal).split('\r\n\r\n')
  expect(head).toMatch(/^HTTP\/1.1 421 Misdirected Request\r\n/)
  expect(head).toContain(`Content-Length: ${Buffer.byteLength(body)}`)
  expect(JSON.parse(body)).toEqual({ errors: [{ code: 'DENIED', message: 'regctl: no "x"\r\nX: y', detail: null }] })
  expect(refusalText(refusal, 'HEAD').endsWith('\r\n\r\n')).toBe(true)
})
