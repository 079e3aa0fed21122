import { describe, expect, test } from 'vitest'
import { activeTokens } from '../../../src/domain/envoy/active-config.ts'
import { requestAuthentication } from '../../../src/domain/external/issuer.ts'
import { tokenFaults } from '../../../src/domain/external/token-faults.ts'
import { at } from '../at.ts'
import { external, GITHUB } from './sets.ts'

const KEYS = JSON.stringify({ keys: [{ kty: 'EC', crv: 'P-256', x: 'x', y: 'y' }] })

/** As Envoy prints what istiod makes of a RequestAuthentication. */
const dump = (provider: object): string =>
  JSON.stringify({
    configs: [
      {
        name: 'virtualInbound',
        active_state: {
          listener: {
            filter_chains: [
              {
                filter_chain_match: { destination_port: 5000 },
                filters: [
                  {
                    name: 'envoy.filters.network.http_connection_manager',
                    typed_config: {
                      http_filters: [
                        {
                          name: 'envoy.filters.http.jwt_authn',
                          typed_config: {
                            '@type': 'type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication',
                            providers: { 'origins-0': provider },
                            rules: [{ match: { prefix: '/' } }],
                          },
                        },
                        { name: 'envoy.filters.http.router', typed_config: { '@type': 'router' } },
                      ],
                    },
                  },
                ],
              },
            ],
          },
        },
      },
    ],
  })

const PROVIDER = {
  issuer: GITHUB,
  audiences: ['registry'],
  local_jwks: { inline_string: KEYS },
  from_headers: [{ name: 'x-regctl-token', value_prefix: 'Bearer ' }],
}
const WANTED = { issuer: GITHUB, audiences: ['registry'], keys: { jwks: KEYS } }

const faults = (provider: object, wanted: Parameters<typeof tokenFaults>[1][number] = WANTED) =>
  activeTokens(dump(provider), 5000).flatMap((chain) => tokenFaults(chain, [wanted]))

describe('a proxy', () => {
  test('that checks the tokens has no fault, and asks for no others', () => {
    expect(faults(PROVIDER)).toEqual([])
    expect(faults(PROVIDER, { ...WANTED, keys: {} })).toEqual([])
    expect(activeTokens(dump(PROVIDER), 5001)).toEqual([])
  })

  test.each<[string, object, RegExp]>([
    [
      'another issuer',
      { ...PROVIDER, issuer: 'https://else' },
      /^it does not check tokens of https:\/\/token\.actions/,
    ],
    ['another audience', { ...PROVIDER, audiences: ['registry', 'else'] }, /for registry$/],
    ['any header', { ...PROVIDER, from_headers: [] }, /^it does not check tokens/],
    ['other keys', { ...PROVIDER, local_jwks: { inline_string: '{"keys":[]}' } }, /^it has other keys of/],
  ])('with %s is told', (_, provider, why) => expect(faults(provider)).toEqual([expect.stringMatching(why)]))

  test('whose istiod got no keys is told, with where it asked', () => {
    const standIn = { ...PROVIDER, local_jwks: { inline_string: '{"keys":[{"kty":"RSA","e":"AQAB","n":"aHR0cHM6"}]}' } }
    expect(faults(standIn, { ...WANTED, keys: {} })).toEqual([`istiod got no keys from ${GITHUB}`])
    expect(faults(standIn, { ...WANTED, keys: { jwksUri: 'https://keys' } })).toEqual([
      'istiod got no keys from https://keys',
    ])
  })

  test('that asks for the keys itself is taken at its word', () => {
    const { local_jwks, ...remote } = PROVIDER
    expect(faults({ ...remote, remote_jwks: {} }, { ...WANTED, keys: { jwksUri: 'https://keys' } })).toEqual([])
  })
})

test('an issuer is told the audiences of all of its grants, once each', () => {
  const grants = [
    external('a'),
    external('b'),
    external('c', { audience: 'else' }),
    external('d', { issuer: 'https://other', audience: 'not' }),
  ]
  const object = requestAuthentication(at, GITHUB, { jwks: KEYS }, grants, '7')
  expect(object?.metadata.resourceVersion).toBe('7')
  expect(object?.spec).toEqual({
    selector: { matchLabels: { app: 'kube-registry' } },
    jwtRules: [
      {
        issuer: GITHUB,
        audiences: ['else', 'registry'],
        fromHeaders: [{ name: 'x-regctl-token', prefix: 'Bearer ' }],
        jwks: KEYS,
      },
    ],
  })
  expect(requestAuthentication(at, 'https://nobody', {}, grants)).toBeUndefined()
})
