import { expect, test } from 'vitest'
import {
  lastWords,
  ourContainersArgs,
  ownersArgs,
  removeContainersArgs,
  runProxyArgs,
} from '../../../src/domain/forward/container.ts'
import { localProxyBootstrap } from '../../../src/domain/forward/local-proxy.ts'
import { clusterFile } from '../../../src/domain/forward/local-proxy-clusters.ts'
import { PROXY_CONFIG, PROXY_STATE } from '../../../src/domain/forward/local-proxy-files.ts'
import { NO_SECRETS, secretFiles } from '../../../src/domain/forward/local-proxy-secrets.ts'
import { placeOf } from '../../../src/domain/forward/place.ts'

const target = {
  host: '192.0.2.7',
  port: 15443,
  sni: 'outbound_.5001_._.kube-registry-developers.kube-registry.svc.cluster.local',
  principal: 'spiffe://cluster.local/ns/kube-registry/sa/kube-registry',
}
const names = { hosts: ['localhost:5001', '[::1]:5001'], origins: ['localhost:5001', '[::1]:5001'] }
const plain = (value: unknown) => JSON.parse(JSON.stringify(value))
const bootstrap = plain(localProxyBootstrap({ port: 5001, addresses: ['127.0.0.1', '::1'], names }))
const [manager] = bootstrap.static_resources.listeners[0].filter_chains[0].filters
const [cluster, writes, wire] = plain(clusterFile(target))['clusters.json'].resources

test('listens on the addresses given, and for its administration where nobody else comes', () => {
  const { listeners } = bootstrap.static_resources
  const sockets = listeners.map((one: { address?: { socket_address: object } }) => one.address?.socket_address)
  expect(sockets).toEqual([
    { address: '127.0.0.1', port_value: 5001 },
    { address: '::1', port_value: 5001 },
    // Within Envoy alone.
    undefined,
  ])
  expect(listeners.at(-1)).toMatchObject({ name: 'wire', internal_listener: {} })
  expect(bootstrap.admin.address).toEqual({ pipe: { path: `${PROXY_STATE}/admin.sock`, mode: 0o600 } })
})

test('forwards for names of loopback alone, and for no foreign page', () => {
  const [registry, others] = manager.typed_config.route_config.virtual_hosts
  expect(registry.domains).toEqual(names.hosts)
  const [pages, report, ...rest] = registry.routes
  expect(pages.direct_response.status).toBe(403)
  expect(pages.match.headers).toEqual([
    { name: 'origin', present_match: true },
    ...names.origins.map((own) => ({
      name: 'origin',
      string_match: { exact: `http://${own}`, ignore_case: true },
      invert_match: true,
    })),
  ])
  expect(report).toMatchObject({ match: { path: '/.regctl/forward' }, route: { cluster: 'regctl' } })
  expect(rest.map((one: { route: { cluster: string } }) => one.route.cluster)).toEqual(['registry', 'registry-writes'])
  expect(others).toMatchObject({ domains: ['*'], routes: [{ direct_response: { status: 421 } }] })
  const body = JSON.parse(others.routes[0].direct_response.body.inline_string)
  expect(body.errors[0]).toMatchObject({ code: 'DENIED', message: expect.stringContaining('localhost:5001') })
})

test('only a request that may be asked twice is sent again', () => {
  const [registry] = manager.typed_config.route_config.virtual_hosts
  const retried = registry.routes.slice(2).map((one: { match: { headers?: unknown }; route: object }) => one)
  expect(retried).toMatchObject([
    {
      match: { headers: [{ name: ':method', string_match: { safe_regex: { regex: 'GET|HEAD' } } }] },
      route: { retry_policy: { retry_on: expect.stringContaining('reset') } },
    },
    { match: { prefix: '/' }, route: { retry_policy: { retry_on: 'connect-failure' } } },
  ])
})

test('writes go to the same place with the same TLS, over what puts records together', () => {
  expect(writes.transport_socket).toEqual(cluster.transport_socket)
  expect(writes.alt_stat_name).toBe(cluster.name)
  const addresses = (one: typeof cluster) => one.load_assignment.endpoints[0].lb_endpoints[0].endpoint.address
  expect(addresses(writes)).toEqual({ envoy_internal_address: { server_listener_name: 'wire' } })
  const [listener] = bootstrap.static_resources.listeners.slice(-1)
  expect(listener.filter_chains[0].filters[0].typed_config.cluster).toBe(wire.name)
  expect(addresses(wire)).toEqual(addresses(cluster))
  expect(wire.transport_socket).toBeUndefined()
})

test('takes no server but the registry for the registry', () => {
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
  ['192.0.2.7:15443', '192.0.2.7'],
  ['[2001:db8::7]:15443', '2001:db8::7'],
  ['gateway.example.com:15443', 'gateway.example.com'],
])('the gateway at %s', (text, host) => {
  expect(placeOf(text)).toEqual({ host, port: 15443 })
  const [found] = plain(clusterFile({ ...target, ...placeOf(text) }))['clusters.json'].resources
  const [{ lb_endpoints }] = found.load_assignment.endpoints
  expect(lb_endpoints[0].endpoint.address.socket_address).toEqual({ address: host, port_value: 15443 })
})

test('each secret is a file of its own where the bootstrap looks for it', () => {
  const files = secretFiles({ certificateChain: 'chain', privateKey: 'key', roots: 'roots' })
  const { common_tls_context } = cluster.transport_socket.typed_config
  const wanted = [
    common_tls_context.combined_validation_context.validation_context_sds_secret_config,
    ...common_tls_context.tls_certificate_sds_secret_configs,
    bootstrap.dynamic_resources.cds_config,
  ].map((one) => (one.sds_config ?? one).path_config_source.path)
  expect([...Object.keys(files), 'clusters.json'].map((name) => `${PROXY_CONFIG}/${name}`)).toEqual(wanted)
  expect(Object.keys(NO_SECRETS)).toEqual(Object.keys(files))
  expect(JSON.stringify(files['roots.json'])).not.toContain('key')
})

const container = {
  name: 'regctl-5001',
  image: 'proxyv2',
  directories: { config: '/run/regctl/config', state: '/run/regctl/state' },
  owner: '1000.x.7.abc',
  user: '1000:1000',
}

test('the container has no right it does not need', () => {
  const args = runProxyArgs({ name: 'docker', rootless: false }, container)
  expect(args).toEqual(expect.arrayContaining(['--rm', '--read-only', 'no-new-privileges', '1000:1000']))
  const after = (flag: string) => args.flatMap((one, index) => (one === flag ? [args[index + 1]] : []))
  expect(after('--volume')).toEqual([`/run/regctl/config:${PROXY_CONFIG}:ro`, `/run/regctl/state:${PROXY_STATE}`])
  expect([...after('--network'), ...after('--userns'), ...after('--cap-drop')]).toEqual(['host', 'host', 'ALL'])
  expect(runProxyArgs({ name: 'podman', rootless: true }, container)).toContain('keep-id')
  expect(args).not.toContain('--publish')
})

test('what a killed regctl left is found by its label and removed', () => {
  expect(ourContainersArgs).toContain('label=regctl.dev/forward')
  expect(ownersArgs(['a', 'b']).slice(-2)).toEqual(['a', 'b'])
  expect(removeContainersArgs('a', 'b')).toEqual(['rm', '--force', 'a', 'b'])
})

test.each([
  [
    "[2026-11-25 12:19:12.283][1][critical][main] [source/server/server.cc:414] error initializing config '/etc/regctl/envoy.json': cannot bind '127.0.0.1:5000': Address already in use\n",
    "error initializing config '/etc/regctl/envoy.json': cannot bind '127.0.0.1:5000': Address already in use",
  ],
  [
    "docker: Error response from daemon: No such image: x.\nSee 'docker run --help'.\n",
    'Error response from daemon: No such image: x.',
  ],
  [
    'docker: Error response from daemon: exec: "envoy": not found.\ntime="2026-11-25T13:11:07Z" level=error msg="error waiting for container: context canceled"\n',
    'Error response from daemon: exec: "envoy": not found.',
  ],
  ['', 'it said nothing'],
])('the last words of %j', (said, expected) => {
  expect(lastWords(said)).toBe(expected)
})
