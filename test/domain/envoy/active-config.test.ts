import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { activeConfig } from '../../../src/domain/envoy/active-config.ts'
import { decide } from '../../../src/domain/envoy/rbac.ts'
import { expectations } from '../../../src/domain/policy/expectation.ts'
import { grantFrom, withDevelopers } from '../at.ts'
import { rbacFilters } from '../policy/istio.ts'
import { policiesOf } from '../policy/policies.ts'

/** From a proxy of Istio with these grants; test/golden/trim.ts says how it was made. */
const DUMP = readFileSync(join(import.meta.dirname, '../../golden/registry-listeners.json'), 'utf8')
const GRANTS = [
  'example-builder example',
  'golden-builder/pusher team/app exact',
  'golden-builder team read',
  'golden-builder/dev other user:ada',
].map(grantFrom)

describe('a real proxy', () => {
  const { chains, rejected } = activeConfig(DUMP, 5000)
  const filters = chains[0] ?? []

  test('serves the port by one chain, with a DENY and an ALLOW filter', () => {
    expect(chains).toHaveLength(1)
    expect(filters.map(({ action }) => action)).toEqual(['DENY', undefined])
    expect(rejected).toEqual([])
    expect(activeConfig(DUMP, 5001).chains).toEqual([])
  })

  test('has the very rules the tests translate policies to, at both ports', () => {
    const rules = rbacFilters(policiesOf(GRANTS))
    expect(filters).toEqual(rules)
    expect(activeConfig(DUMP, 5443).chains).toEqual([rules])
  })

  test('decides as expected of these grants, and not of others', () => {
    const faults = (grants: typeof GRANTS) =>
      expectations(withDevelopers, 'cluster.local', grants)
        .filter(({ request, allowed }) => decide(filters, request).allowed !== allowed)
        .map(({ why }) => why)
    expect(faults(GRANTS)).toEqual([])
    expect(faults([grantFrom('golden-builder team')])).toEqual([
      'golden-builder on team: upload',
      'golden-builder on team: push',
      'golden-builder on team: push below',
    ])
    expect(faults([grantFrom('example-builder example exact')])).toEqual(['example-builder on example: no push below'])
    expect(faults([grantFrom('golden-builder/dev other')])).toContain('golden-builder on other: push')
    expect(
      faults([grantFrom('golden-builder/dev other user:ada'), grantFrom('golden-builder/pusher other user:bob')]),
    ).toEqual(expect.arrayContaining(['user:bob on other: push']))
  })

  test('names the policy that decided', () => {
    const request = { method: 'PUT', path: '/v2/example/app/manifests/1', host: 'localhost:5000', port: 5000 }
    const principal = 'spiffe://cluster.local/ns/example-builder/sa/default'
    expect(decide(filters, { ...request, principal }).policy).toMatch(/policy\[grant-example-builder-example-/)
    expect(decide(filters, { ...request, principal: 'spiffe://cluster.local/ns/x/sa/y' }).policy).toBe(
      'ns[kube-registry]-policy[fence]-rule[0]',
    )
  })
})

test('a listener whose update Envoy refused is told with its words; the old rules stay', () => {
  const dump = JSON.parse(DUMP) as { configs: { name: string; error_state?: unknown }[] }
  const configs = dump.configs.map((entry) =>
    entry.name === 'virtualInbound'
      ? { ...entry, error_state: { details: 'Proto constraint validation failed' } }
      : entry,
  )
  const config = activeConfig(JSON.stringify({ configs: [...configs, { name: 'new', error_state: {} }] }), 5000)
  expect(config.rejected).toEqual([
    { listener: 'virtualInbound', details: 'Proto constraint validation failed' },
    { listener: 'new', details: 'no details' },
  ])
  expect(config.chains).toHaveLength(1)
})

test('an empty dump serves nothing', () => {
  expect(activeConfig('{}', 5000)).toEqual({ chains: [], rejected: [] })
})

test('rules in a form that cannot be judged prove nothing', () => {
  const rbac = {
    '@type': 'type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC',
    matcher: { matcher_list: {} },
  }
  const http_filters = [{ name: 'rbac', typed_config: rbac }]
  const manager = { name: 'envoy.filters.network.http_connection_manager', typed_config: { http_filters } }
  const chain = { filter_chain_match: { destination_port: 5000 }, filters: [manager] }
  const dump = { configs: [{ name: 'l', active_state: { listener: { filter_chains: [chain] } } }] }
  const [filters = []] = activeConfig(JSON.stringify(dump), 5000).chains
  const request = { principal: 'p', method: 'GET', path: '/v2/', host: 'h', port: 5000 }
  expect(() => decide(filters, request)).toThrow('cannot judge: matcher')
})
