import { describe, expect, test } from 'vitest'
import { decide, type RbacFilter, UnknownMatcher } from '../../../src/domain/envoy/rbac.ts'

type Json = Readonly<Record<string, unknown>>

const REQUEST = {
  principal: 'spiffe://td/ns/ci/sa/pusher',
  method: 'PUT',
  path: '/v2/a/b',
  host: 'Host:5000',
  port: 5000,
}
const ANY = [{ any: true }]

const allow = (permission: Json, principal: Json = { any: true }): RbacFilter => ({
  policies: { allow: { permissions: [permission], principals: [principal] } },
})
const deny = (permission: Json): RbacFilter => ({
  action: 'DENY',
  policies: { deny: { permissions: [permission], principals: ANY } },
})
const permits = (permission: Json): boolean => decide([allow(permission)], REQUEST).allowed
const isPrincipal = (principal: Json): boolean => decide([allow({ any: true }, principal)], REQUEST).allowed

const path = (matcher: Json): Json => ({ url_path: { path: matcher } })
const template = (path_template: string): Json => ({ uri_template: { typed_config: { path_template } } })
const method = (rest: Json): Json => ({ header: { name: ':method', ...rest } })
const yes = { any: true }
const no = { destination_port: 1 }

describe('permissions', () => {
  test.each<[string, Json, boolean]>([
    ['any', yes, true],
    ['port', { destination_port: 5000 }, true],
    ['other port', { destination_port: 5001 }, false],
    ['and of all', { and_rules: { rules: [yes, yes] } }, true],
    ['and with one missing', { and_rules: { rules: [yes, no] } }, false],
    ['or', { or_rules: { rules: [no, yes] } }, true],
    ['or of none', { or_rules: { rules: [no] } }, false],
    ['empty or', { or_rules: {} }, false],
    ['not', { not_rule: no }, true],
    ['not of a match', { not_rule: yes }, false],
    ['exact path', path({ exact: '/v2/a/b' }), true],
    ['path is case-sensitive', path({ exact: '/V2/a/b' }), false],
    ['path without case', path({ exact: '/V2/a/b', ignore_case: true }), true],
    ['prefix', path({ prefix: '/v2/a/' }), true],
    ['prefix of another', path({ prefix: '/v2/ab' }), false],
    ['suffix', path({ suffix: '/b' }), true],
    ['other suffix', path({ suffix: '/c' }), false],
    ['contains', path({ contains: '2/a' }), true],
    ['regex matches the whole', path({ safe_regex: { regex: '/v2/.*' } }), true],
    ['regex of a part', path({ safe_regex: { regex: '/v2' } }), false],
    ['regex with a quoted part', path({ safe_regex: { regex: String.raw`\Q/v2/a\E/.` } }), true],
    ['quoted dot is a dot', path({ safe_regex: { regex: String.raw`\Q/v2.a/b\E` } }), false],
    ['template segment', template('/v2/*/b'), true],
    ['template segment holds no slash', template('/v2/*'), false],
    ['template rest', template('/v2/**'), true],
    ['template dot is a dot', template('/v2.a/b'), false],
    ['method', method({ string_match: { exact: 'PUT' } }), true],
    ['method is case-sensitive', method({ string_match: { exact: 'put' } }), false],
    ['inverted header', method({ string_match: { exact: 'GET' }, invert_match: true }), true],
    ['present header', method({ present_match: true }), true],
    ['a query', { header: { name: ':path', string_match: { contains: '?' } } }, false],
    ['no content type', { header: { name: 'content-type', present_match: true } }, false],
    ['nor a part of one', { header: { name: 'content-type', string_match: { contains: 'form' } } }, false],
    [
      'host without case',
      { header: { name: ':authority', string_match: { exact: 'host:5000', ignore_case: true } } },
      true,
    ],
  ])('%s', (_, permission, expected) => expect(permits(permission)).toBe(expected))
})

test('the query is a part of the path header alone', () => {
  const asked = { ...REQUEST, query: 'mount=a&from=b' }
  const has = (permission: Json) => decide([allow(permission)], asked).allowed
  expect(has({ header: { name: ':path', string_match: { exact: '/v2/a/b?mount=a&from=b' } } })).toBe(true)
  expect(has(path({ exact: '/v2/a/b' }))).toBe(true)
})

describe('principals', () => {
  const authenticated = (principal_name: Json): Json => ({ authenticated: { principal_name } })
  const ci = authenticated({ prefix: 'spiffe://td/ns/ci/sa/' })
  const web = authenticated({ prefix: 'spiffe://td/ns/web/sa/' })
  test.each<[string, Json, boolean]>([
    ['any', { any: true }, true],
    ['anybody authenticated', { authenticated: {} }, true],
    ['prefix', ci, true],
    ['other prefix', web, false],
    ['and', { and_ids: { ids: [ci, web] } }, false],
    ['or', { or_ids: { ids: [web, ci] } }, true],
    ['not', { not_id: web }, true],
    ['filter state', { filter_state: { key: 'io.istio.peer_principal', string_match: { suffix: '/pusher' } } }, true],
    ['header', { header: { name: ':path', string_match: { prefix: '/v2/' } } }, true],
    ['path', path({ prefix: '/v3/' }), false],
  ])('%s', (_, principal, expected) => expect(isPrincipal(principal)).toBe(expected))
})

describe('claims of a token', () => {
  const claimed = (name: string, value: Json, rest: Json = {}): Json => ({
    metadata: { filter: 'envoy.filters.http.jwt_authn', path: [{ key: 'payload' }, { key: name }], value, ...rest },
  })
  const text = (exact: string): Json => ({ string_match: { exact } })
  /** As istiod writes one value: in a list, or by itself. */
  const either = (exact: string): Json => ({
    or_match: { value_matchers: [{ list_match: { one_of: text(exact) } }, text(exact)] },
  })
  const claims = { iss: 'https://issuer', sub: 'repo:a/b:ref:refs/heads/main', aud: ['one', 'two'] }
  const has = (principal: Json, given: typeof claims | undefined): boolean =>
    decide([allow(yes, principal)], given === undefined ? REQUEST : { ...REQUEST, claims: given }).allowed
  test.each<[string, Json, boolean]>([
    ['text', claimed('sub', either('repo:a/b:ref:refs/heads/main')), true],
    ['other text', claimed('sub', either('repo:a/b:ref:refs/heads/dev')), false],
    ['one of a list', claimed('aud', either('two')), true],
    ['none of a list', claimed('aud', either('three')), false],
    ['a list is no text', claimed('aud', text('one')), false],
    ['text is no list', claimed('iss', { list_match: { one_of: text('https://issuer') } }), false],
    ['a claim that is not there', claimed('azp', either('x')), false],
    ['not', { not_id: claimed('sub', either('else')) }, true],
    ['inverted', claimed('iss', text('https://issuer'), { invert: true }), false],
    [
      'by the newer form',
      { sourced_metadata: { metadata_matcher: claimed('iss', text('https://issuer')).metadata } },
      true,
    ],
  ])('%s', (_, principal, expected) => expect(has(principal, claims)).toBe(expected))

  test('without a token there are none', () => {
    expect(has(claimed('iss', either('https://issuer')), undefined)).toBe(false)
    expect(has({ not_id: claimed('iss', either('https://issuer')) }, undefined)).toBe(true)
  })

  test.each<[string, Json]>([
    [
      'other metadata',
      { metadata: { filter: 'envoy.lb', path: [{ key: 'payload' }, { key: 'iss' }], value: text('') } },
    ],
    ['a claim in a claim', claimed('a', text('b'), { path: [{ key: 'payload' }, { key: 'a' }, { key: 'b' }] })],
    ['a number', claimed('iss', { double_match: { exact: 1 } })],
    ['metadata of the route', { sourced_metadata: { metadata_source: 'ROUTE', metadata_matcher: {} } }],
  ])('%s is not judged', (_, principal) => expect(() => has(principal, claims)).toThrow(UnknownMatcher))
})

describe('conditions it does not know', () => {
  test.each<[string, RbacFilter]>([
    ['permission', allow({ metadata: {} })],
    ['permission below a known one', allow({ and_rules: { rules: [{ not_rule: { destination_ip: {} } }] } })],
    ['principal', allow(yes, { direct_remote_ip: {} })],
    ['principal of another filter state', allow(yes, { filter_state: { key: 'other' } })],
    ['header', allow({ header: { name: 'x-token', present_match: true } })],
    ['string matcher', allow(path({ custom: {} }))],
    ['header without matcher', allow(method({}))],
    ['template without path', allow({ uri_template: {} })],
    ['empty permission', allow({})],
  ])('%s', (_, filter) => expect(() => decide([filter], REQUEST)).toThrow(UnknownMatcher))
})

describe('filters', () => {
  const named = (name: string, permission: Json) => ({ [name]: { permissions: [permission], principals: ANY } })
  test.each<[string, readonly RbacFilter[], { allowed: boolean; policy?: string }]>([
    ['none: everybody', [], { allowed: true }],
    ['ALLOW without policies: nobody', [{}], { allowed: false }],
    ['ALLOW without a match', [allow(no)], { allowed: false }],
    ['ALLOW by name', [{ action: 'ALLOW', policies: named('p', yes) }], { allowed: true, policy: 'p' }],
    ['DENY without a match', [deny(no)], { allowed: true }],
    ['DENY before ALLOW', [deny(yes), allow(yes)], { allowed: false, policy: 'deny' }],
    ['DENY after ALLOW holds as well', [allow(yes), deny(yes)], { allowed: false, policy: 'deny' }],
    ['every ALLOW filter needs a match', [allow(yes), allow(no)], { allowed: false }],
    [
      'policies in the order of their names',
      [{ policies: { ...named('b', yes), ...named('a', yes) } }],
      { allowed: true, policy: 'a' },
    ],
    ['LOG decides nothing', [{ action: 'LOG', policies: named('p', yes) }], { allowed: true }],
    ['a policy without permissions', [{ policies: { p: { principals: ANY } } }], { allowed: false }],
    ['a policy without principals', [{ policies: { p: { permissions: ANY } } }], { allowed: false }],
  ])('%s', (_, filters, expected) => expect(decide(filters, REQUEST)).toEqual(expected))
})
