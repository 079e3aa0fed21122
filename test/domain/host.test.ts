import { expect, test } from 'vitest'
import { hostName } from '../../src/domain/host.ts'

test.each(['registry.example.org', 'a.b', 'xn--e1afmkfd.example', '1.2.3.example'])('%s is a host', (text) => {
  expect(hostName(text)).toBe(text)
})

test.each([
  ['', 'is no DNS name'],
  ['registry', 'has no dot'],
  ['Registry.example', 'has upper case'],
  ['https://registry.example/v2', 'is more than a name'],
  ['registry.example:443', 'has a port'],
  ['*.example', 'is a wildcard'],
  ['192.0.2.1', 'is an address'],
  ['2001:db8::a', 'is an address'],
  ['registry.example.', 'is no DNS name'],
  ['-a.example', 'is no DNS name'],
  ['a_b.example', 'is no DNS name'],
  [`${'a'.repeat(64)}.example`, 'is no DNS name'],
  [`${'a.'.repeat(130)}example`, 'is no DNS name'],
])('"%s" %s', (text, why) => {
  expect(() => hostName(text)).toThrow(expect.objectContaining({ code: 'INVALID_HOST' }))
  expect(() => hostName(text)).toThrow(why)
})
