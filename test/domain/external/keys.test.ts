import { generateKeyPairSync } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { isStandIn, keySet } from '../../../src/domain/external/keys.ts'

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const RSA = { ...rsa.publicKey.export({ format: 'jwk' }), kid: 'one', use: 'sig' }
const EC = { ...ec.publicKey.export({ format: 'jwk' }), kid: 'two' }

describe('a key set', () => {
  test('of public keys is kept on one line', () => {
    expect(keySet(JSON.stringify({ keys: [RSA, EC], other: 1 }, undefined, 2), 'keys.json')).toBe(
      JSON.stringify({ keys: [RSA, EC] }),
    )
  })

  test.each<[string, string, RegExp]>([
    ['no JSON', 'keys', /keys\.json is not a JSON Web Key Set/],
    ['one key alone', JSON.stringify(RSA), /is not a JSON Web Key Set/],
    ['no key', '{"keys":[]}', /is not a JSON Web Key Set/],
    ['keys that are none', '{"keys":["a"]}', /is not a JSON Web Key Set/],
    ['a key without a type', '{"keys":[{"n":"a"}]}', /has a key without "kty"/],
    [
      'a private RSA key',
      JSON.stringify({ keys: [EC, rsa.privateKey.export({ format: 'jwk' })] }),
      /secret or private/,
    ],
    ['a private EC key', JSON.stringify({ keys: [ec.privateKey.export({ format: 'jwk' })] }), /secret or private/],
    ['a shared secret', '{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}', /secret or private/],
  ])('with %s is refused', (_, text, why) => expect(() => keySet(text, 'keys.json')).toThrow(why))
})

/** As istiod writes them: pilot/pkg/model/jwks_resolver.go, now and in older versions. */
const NOW =
  '0xObjM0UvS_oaazjpEYlAbwctEJ4L8pH3OuTb7qth7gUwqet-EzQB4dgFdvSdMgrLnSncQGRjpEYz3F3viIbH-3EN3TxSlPNviHxeOdyiBVfumN8dMxbLvVJUpfNOnvmMxJcl-8NNjAwcOjk4otSALaYgYYyOPyvKtgVdrQr-FoubWX4yrjxW-MJ2-7OBeepUUNOsVwGV23YX03sVkkyvY3otRflkBcY3_HKpBxJl9wk2GyOShN4_PNUF9-vwfnvOXMbCDX-w4PTef4geeb_GiT40YCKHTKMSPVanGRn5GExIWmki-mmqh94-mPTJyBR74ShspL3BxPZitDL574T1w'
const BEFORE = Buffer.from('https://issuer.example.org/keys').toString('base64url')

test.each<[string, readonly object[], boolean]>([
  ["today's stand-in", [{ kty: 'RSA', e: 'AQAB', n: NOW }], true],
  ["an older istiod's", [{ e: 'AQAB', kid: 'abc', kty: 'RSA', n: BEFORE }], true],
  ['an RSA key', [RSA], false],
  ['an EC key', [EC], false],
  ['nothing', [], true],
])('%s is told from real keys', (_, keys, expected) => expect(isStandIn(JSON.stringify({ keys }))).toBe(expected))
