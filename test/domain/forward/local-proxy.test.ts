import { expect, test } from 'vitest'
import { leftProxiesArgs, removeProxyArgs, runProxyArgs } from '../../../src/domain/forward/container.ts'
import { localProxyBootstrap, PROXY_DIRECTORY, secretFiles } from '../../../src/domain/forward/local-proxy.ts'

const target = {
  host: '192.0.2.7',
  port: 15443,
  sni: 'outbound_.5001_._.kube-registry-developers.kube-registry.svc.cluster.local',
  principal: 'spiffe://cluster.local/ns/kube-registry/sa/kube-registry',
}
const bootstrap = (host = target.host) =>
  JSON.parse(
    JSON.stringify(localProxyBootstrap({ port: 5001, addresses: ['127.0.0.1', '::1'], target: { ...target, host } })),
  )

test('listens on the addresses given and has no admin port', () => {
  const { static_resources, admin } = bootstrap()
  const sockets = static_resources.listeners.map(
    (one: { address: { socket_address: object } }) => one.address.socket_address,
  )
  expect(sockets).toEqual([
    { address: '127.0.0.1', port_value: 5001 },
    { address: '::1', port_value: 5001 },
  ])
  expect(admin).toBeUndefined()
})

test('forwards for names of loopback alone, and for no foreign page', () => {
  const [manager] = bootstrap().static_resources.listeners[0].filter_chains[0].filters
  const [registry, others] = manager.typed_config.route_config.virtual_hosts
  expect(registry.domains).toEqual([
    'localhost',
    'localhost:5001',
    '127.0.0.1',
    '127.0.0.1:5001',
    '[::1]',
    '[::1]:5001',
  ])
  expect(registry.routes.map((one: object) => 'route' in one)).toEqual([false, true])
  expect(others).toMatchObject({ domains: ['*'], routes: [{ direct_response: { status: 421 } }] })
})

test('takes no server but the registry for the registry', () => {
  const [cluster] = bootstrap().static_resources.clusters
  const { sni, common_tls_context } = cluster.transport_socket.typed_config
  expect(sni).toBe(target.sni)
  expect(common_tls_context.combined_validation_context).toMatchObject({
    default_validation_context: {
      match_typed_subject_alt_names: [{ san_type: 'URI', matcher: { exact: target.principal } }],
    },
    validation_context_sds_secret_config: { name: 'roots' },
  })
})

test.each([
  ['192.0.2.7', 'STATIC'],
  ['2001:db8::7', 'STATIC'],
  ['gateway.example.com', 'STRICT_DNS'],
])('a gateway at %s is found by %s', (host, type) => {
  expect(bootstrap(host).static_resources.clusters[0].type).toBe(type)
})

test('each secret is a file of its own where the bootstrap looks for it', () => {
  const files = secretFiles({ certificateChain: 'chain', privateKey: 'key', roots: 'roots' })
  const { common_tls_context } = bootstrap().static_resources.clusters[0].transport_socket.typed_config
  const wanted = [
    common_tls_context.combined_validation_context.validation_context_sds_secret_config,
    ...common_tls_context.tls_certificate_sds_secret_configs,
  ].map(({ sds_config }) => sds_config.path_config_source.path)
  expect(Object.keys(files).map((name) => `${PROXY_DIRECTORY}/${name}`)).toEqual(wanted)
  expect(JSON.stringify(files['roots.json'])).not.toContain('key')
})

const container = {
  name: 'regctl-5001',
  image: 'proxyv2',
  directory: '/run/regctl/5001',
  port: 5001,
  user: '1000:1000',
  sharesNetwork: true,
}

test('the container has no right it does not need, and a published port is on loopback', () => {
  expect(runProxyArgs(container)).toEqual(
    expect.arrayContaining([
      '--rm',
      '--read-only',
      'no-new-privileges',
      'host',
      `/run/regctl/5001:${PROXY_DIRECTORY}:ro`,
    ]),
  )
  const published = runProxyArgs({ ...container, sharesNetwork: false })
  expect(published).not.toContain('--network')
  expect(published).toContain('127.0.0.1:5001:5001')
})

test('what a killed regctl left is found by port and removed by name', () => {
  expect(leftProxiesArgs(5001)).toContain('label=regctl.dev/forward=5001')
  expect(removeProxyArgs('regctl-5001').at(-1)).toBe('regctl-5001')
})
