import { expect, test } from 'vitest'
import { certificateFor } from '../../src/domain/certificate.ts'
import { CERTIFICATE, KEY, NAMELESS, NOW, OTHER_KEY } from './certificates.ts'

test.each(['registry.example', 'a.apps.example'])('is good for %s', (host) => {
  expect(certificateFor(host, CERTIFICATE, KEY, NOW)).toMatchObject({ names: 'registry.example, *.apps.example' })
})

test('is the first of a chain', () => {
  expect(certificateFor('registry.example', CERTIFICATE + NAMELESS, KEY, NOW)).toHaveProperty('validTo')
  expect(certificateFor('registry.example', NAMELESS + CERTIFICATE, KEY, NOW)).toHaveProperty('fault')
})

test.each<[string, Parameters<typeof certificateFor>, string]>([
  ['another host', ['b.example', CERTIFICATE, KEY, NOW], 'is for registry.example, *.apps.example, not for b.example'],
  ['a deeper host', ['a.b.apps.example', CERTIFICATE, KEY, NOW], 'not for a.b.apps.example'],
  ['its subject alone', ['named.example', CERTIFICATE, KEY, NOW], 'not for named.example'],
  ['no name', ['registry.example', NAMELESS, OTHER_KEY, NOW], 'is for no name, not for registry.example'],
  ['too late', ['registry.example', CERTIFICATE, KEY, Date.parse('2030-01-01')], 'expired on 2027-11-25'],
  ['too early', ['registry.example', CERTIFICATE, KEY, Date.parse('2020-01-01')], 'not valid before 2026-11-25'],
  ['another key', ['registry.example', CERTIFICATE, OTHER_KEY, NOW], 'is not the key of its certificate'],
  ['no key', ['registry.example', CERTIFICATE, 'x', NOW], 'tls.key is no private key'],
  ['no certificate', ['registry.example', KEY, KEY, NOW], 'tls.crt is no certificate'],
])('%s is a fault', (_, args, said) => {
  expect(certificateFor(...args)).toEqual({ fault: expect.stringContaining(said) })
})
