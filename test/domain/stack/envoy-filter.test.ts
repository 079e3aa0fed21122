import { describe, expect, test } from 'vitest'
import type { KubeObject } from '../../../src/domain/kube-object.ts'
import { lacksIpv6, nodeListener, pathHardening, refusalBody } from '../../../src/domain/stack/envoy-filter.ts'
import { at } from '../at.ts'

type Patch = { readonly patch: { readonly operation: string; readonly value: Readonly<Record<string, unknown>> } }
type Filter = { readonly workloadSelector: unknown; readonly configPatches: readonly Patch[] }
type Mapper = {
  readonly filter: {
    readonly status_code_filter?: { readonly comparison: { readonly value: { readonly default_value: number } } }
  }
  readonly body_format_override: unknown
}
type HttpManager = { readonly local_reply_config: { readonly mappers: readonly Mapper[] } }

const specOf = (filter: KubeObject) => filter.spec as Filter
const patched = (filter: KubeObject, index = 0) => specOf(filter).configPatches[index]?.patch.value ?? {}

describe('a refusal', () => {
  const { mappers } = (patched(refusalBody(at)).typed_config as HttpManager).local_reply_config

  test.each([
    [403, 'DENIED', 'regctl grant NAMESPACE REPOSITORY'],
    [400, 'UNSUPPORTED', 'as it is spelled'],
    [503, 'UNAVAILABLE', 'regctl status'],
  ])('of status %i is an error as OCI clients print it: %s', (status, code, part) => {
    const found = mappers.filter(({ filter }) => filter.status_code_filter?.comparison.value.default_value === status)
    expect(found).toHaveLength(1)
    expect(found[0]?.body_format_override).toEqual({
      content_type: 'application/json',
      json_format: { errors: [{ code, message: expect.stringContaining(part) }] },
    })
  })

  test('names who asked for what', () => {
    expect(JSON.stringify(mappers[1])).toContain('%DOWNSTREAM_PEER_URI_SAN% may not %REQ(:METHOD)% %REQ(:PATH)%')
    expect(mappers).toHaveLength(4)
  })

  test('of who comes by an exposed host names the host, for who asks is its gateway', () => {
    expect(mappers[0]?.filter).toMatchObject({
      and_filter: {
        filters: [{ status_code_filter: {} }, { header_filter: { header: { name: 'x-regctl-exposed' } } }],
      },
    })
    expect(JSON.stringify(mappers[0]?.body_format_override)).toContain(
      'regctl expose %REQ(x-regctl-exposed)% REPOSITORY',
    )
  })

  test('is of the registry’s proxy alone, inbound', () => {
    expect(specOf(refusalBody(at)).workloadSelector).toEqual({ labels: { app: 'kube-registry' } })
    expect(specOf(refusalBody(at)).configPatches[0]).toMatchObject({
      applyTo: 'NETWORK_FILTER',
      match: { context: 'SIDECAR_INBOUND' },
      patch: { operation: 'MERGE' },
    })
  })
})

test('paths are hardened as connectionSettings would', () => {
  expect(patched(pathHardening(at)).typed_config).toMatchObject({
    normalize_path: true,
    merge_slashes: true,
    path_with_escaped_slashes_action: 'REJECT_REQUEST',
    common_http_protocol_options: { idle_timeout: '3s' },
  })
})

describe('the node’s port', () => {
  const filter = nodeListener({ ...at, port: 5001 })

  test('is shared with nobody, on both addresses', () => {
    expect(patched(filter, 0)).toEqual({ enable_reuse_port: false })
    expect(patched(filter, 2).enable_reuse_port).toBe(false)
  })

  test('takes loopback sources only', () => {
    expect(patched(filter, 1)).toEqual({
      filter_chain_match: { source_prefix_ranges: [{ address_prefix: '127.0.0.0', prefix_len: 8 }] },
    })
    expect(JSON.parse(JSON.stringify(patched(filter, 2).filter_chains))[0].filter_chain_match).toEqual({
      source_prefix_ranges: [{ address_prefix: '::1', prefix_len: 128 }],
    })
  })

  test('is on ::1 as well, a listener of its own that goes to the registry', () => {
    expect(specOf(filter).configPatches[2]).toMatchObject({ applyTo: 'LISTENER', patch: { operation: 'ADD' } })
    expect(patched(filter, 2)).toMatchObject({
      name: 'registry_ipv6_5001',
      address: { socket_address: { address: '::1', port_value: 5001 } },
      freebind: true,
      traffic_direction: 'OUTBOUND',
    })
    expect(JSON.stringify(filter)).toContain('"cluster":"outbound|5001||kube-registry.kube-registry.svc.cluster.local"')
  })

  test('is the one of our listener and of our proxies', () => {
    expect(filter.metadata.namespace).toBe('kube-registry-node')
    expect(specOf(filter).workloadSelector).toEqual({ labels: { app: 'registry-node' } })
    for (const patch of specOf(filter).configPatches.slice(0, 2))
      expect(patch).toMatchObject({ match: { context: 'SIDECAR_OUTBOUND', listener: { portNumber: 5001 } } })
  })
})

test.each([
  ['registry_ipv6_5000', 'malformed IP address: ::1', true],
  ['registry_ipv6_5000', "cannot bind '[::1]:5000': Cannot assign requested address", true],
  ['registry_ipv6_5000', 'cannot create socket: Address family not supported by protocol', true],
  ['registry_ipv6_5000', "cannot bind '[::1]:5000': Address already in use", false],
  ['::1_5000', "cannot bind '[::1]:5000': Cannot assign requested address", true],
  ['127.0.0.1_5000', 'Cannot assign requested address', false],
])('listener %s: %s', (listener, details, expected) => expect(lacksIpv6({ listener, details })).toBe(expected))
