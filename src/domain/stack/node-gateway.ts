import { type Installation, NODE_PROXY, nodeNamespace, ownerLabels, serviceHost } from '../installation.ts'
import type { KubeObject } from '../kube-object.ts'
import { authorizationPolicy } from '../policy/authorization-policy.ts'
import { noPull, pull } from '../policy/fence.ts'
import { answer, envoyFilter, LOOPBACK, onHttp } from './envoy-filter.ts'
import { type GuardedGateway, gatewayPolicy } from './gateway-admission.ts'
import { mutualTls } from './mesh.ts'
import { NODE_GATEWAY_ADDRESS } from './node-proxy.ts'

export const guardedNodes = (at: Pick<Installation, 'namespace'>): GuardedGateway => ({
  policy: `regctl-node-gateways-${at.namespace}`,
  value: NODE_PROXY,
  attachable: [nodeNamespace(at)],
  what: `the registry's node proxies (namespace ${nodeNamespace(at)})`,
})

/**
 * What stands around the node proxies where they are a standard Istio Gateway: it refuses what is no pull by itself
 * and keeps a log of the requests. None of it has a say in a proxy of type sidecar, so both can be there while one
 * gives way to the other.
 */
export function nodeGateway(at: Installation, admissionPolicies: boolean): readonly KubeObject[] {
  return [
    ...(admissionPolicies ? gatewayPolicy(at, guardedNodes(at)) : []),
    entry(at),
    gateway(at),
    route(at),
    upstream(at),
    ...policies(at),
    listeners(at),
    accessLog(at),
  ]
}

const meta = (at: Installation, name: string = NODE_PROXY) => ({
  name,
  namespace: nodeNamespace(at),
  labels: ownerLabels(at),
})

const selector = { matchLabels: { app: NODE_PROXY } }

/**
 * istiod takes a WorkloadEntry of any namespace that has a proxy's address for the proxy's own, and moves a gateway's
 * ports by the Services that select it. So the proxies tell an address nobody has, and this entry has it too: one of
 * the proxy's namespace comes first (istio pilot/pkg/serviceregistry/util/workloadinstances).
 */
const entry = (at: Installation): KubeObject => ({
  apiVersion: 'networking.istio.io/v1',
  kind: 'WorkloadEntry',
  metadata: meta(at),
  spec: { address: NODE_GATEWAY_ADDRESS, labels: selector.matchLabels },
})

/** `./`: only VirtualServices of the gateway's own namespace attach. */
function gateway(at: Installation): KubeObject {
  const server = (bind: string, name: string) => ({
    port: { number: at.port, name, protocol: 'HTTP' },
    bind,
    hosts: ['./*'],
  })
  return {
    apiVersion: 'networking.istio.io/v1',
    kind: 'Gateway',
    metadata: meta(at),
    spec: {
      selector: selector.matchLabels,
      servers: [server('127.0.0.1', 'http-registry'), server('::1', 'http-registry-ipv6')],
    },
  }
}

function route(at: Installation): KubeObject {
  return {
    apiVersion: 'networking.istio.io/v1',
    kind: 'VirtualService',
    metadata: meta(at),
    spec: {
      // `localhost` would be taken for the name of a Service, and the Host has a port: the policies judge it.
      hosts: ['*'],
      gateways: [NODE_PROXY],
      exportTo: ['.'],
      http: [
        {
          route: [{ destination: { host: serviceHost(at), port: { number: at.port } } }],
          // Only reads come this far, and no answer has begun.
          retries: { attempts: 2, retryOn: 'connect-failure,refused-stream,reset' },
        },
      ],
    },
  }
}

/** As everybody goes to the registry, but done with an idle connection before the registry's proxy is, at 3 seconds. */
function upstream(at: Installation): KubeObject {
  const { spec, ...rest } = mutualTls(at)
  const { trafficPolicy, ...others } = spec as { trafficPolicy: { connectionPool: object } }
  const connectionPool = { ...trafficPolicy.connectionPool, http: { idleTimeout: '2s' } }
  return {
    ...rest,
    metadata: meta(at),
    spec: { ...others, exportTo: ['.'], trafficPolicy: { ...trafficPolicy, connectionPool } },
  }
}

/** Both, so that it pulls where somebody's ALLOW for another purpose reaches it, and does no more where one allows all. */
function policies(at: Installation): readonly KubeObject[] {
  const on = { namespace: nodeNamespace(at), selector }
  const allow = [{ to: [{ operation: pull(at) }] }]
  const deny = [{ to: noPull(at).map((operation) => ({ operation })) }]
  return [
    authorizationPolicy(at, 'node-pulls', { action: 'ALLOW', rules: allow }, { on }),
    authorizationPolicy(at, 'node-fence', { action: 'DENY', rules: deny }, { on }),
  ]
}

/** A listener's name in Envoy, as istiod gives it (pilot/pkg/networking/core/gateway.go). */
const named = (at: Installation, bind: string) => ({
  context: 'GATEWAY',
  listener: { name: `${bind}_${at.port}`, portNumber: at.port },
})

const onListener = (at: Installation, bind: string, source: object, more: object = {}) => [
  {
    applyTo: 'LISTENER',
    match: named(at, bind),
    patch: { operation: 'MERGE', value: { enable_reuse_port: false, ...more } },
  },
  {
    applyTo: 'FILTER_CHAIN',
    match: named(at, bind),
    patch: { operation: 'MERGE', value: { filter_chain_match: { source_prefix_ranges: [source] } } },
  },
]

/** What `nodeListener` is for a sidecar, by another name: the old pods need theirs until the last is gone. */
function listeners(at: Installation): KubeObject {
  const what = '%REQ(:METHOD)% %REQ(:PATH)%'
  return envoyFilter(at, 'node-gateway-listener', nodeNamespace(at), NODE_PROXY, [
    ...onListener(at, '127.0.0.1', LOOPBACK.v4),
    // Binds where the node has no ::1 as well: a refused listener would keep the whole proxy from getting ready.
    ...onListener(at, '::1', LOOPBACK.v6, { freebind: true }),
    onHttp('GATEWAY', {
      local_reply_config: {
        mappers: [
          answer(403, 'DENIED', `a node only pulls, as localhost:${at.port}: it may not ${what} as %REQ(:AUTHORITY)%`),
          answer(503, 'UNAVAILABLE', "the registry does not answer the node's proxy; see: regctl status"),
        ],
      },
    }),
  ])
}

/** On whatever the mesh's own setting is: the requests are what this way is chosen for. */
function accessLog(at: Installation): KubeObject {
  return {
    apiVersion: 'telemetry.istio.io/v1',
    kind: 'Telemetry',
    metadata: meta(at),
    spec: { selector, accessLogging: [{ providers: [{ name: 'envoy' }] }] },
  }
}
