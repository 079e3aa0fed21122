import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { V1Container } from '@kubernetes/client-node'
import { decide, type RbacFilter } from '../../src/domain/envoy/rbac.ts'
import type { KubeObject } from '../../src/domain/kube-object.ts'
import { spiffeId } from '../../src/domain/policy/identity.ts'
import { rbacFilters } from '../domain/policy/istio.ts'
import { FakeGateway } from './fake-gateway.ts'
import type { Answer, Asked } from './fake-pods.ts'
import type { ObjectStore } from './object-store.ts'

/** What Istio 1.31 makes of `templatePod` by a server-side dry run, with the image as a release names it. */
const INJECTED = JSON.parse(
  readFileSync(join(import.meta.dirname, '../golden/injected-pod.json'), 'utf8'),
) as KubeObject & { readonly spec: { readonly containers: readonly V1Container[] } }

const POLICY = { apiVersion: 'security.istio.io/v1', kind: 'AuthorizationPolicy' }
const SIDECAR = { apiVersion: 'networking.istio.io/v1', kind: 'Sidecar' }
const GATEWAY = { apiVersion: 'networking.istio.io/v1', kind: 'Gateway' }
const POD = { apiVersion: 'v1', kind: 'Pod' }
const ROUTES = 'config_dump?resource=dynamic_route_configs'
const DUMP = 'config_dump?resource=dynamic_listeners'
const ISSUER = { apiVersion: 'security.istio.io/v1', kind: 'RequestAuthentication' }
const FILTER = { apiVersion: 'networking.istio.io/v1alpha3', kind: 'EnvoyFilter' }
const TOKENS = 'type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication'
/** A key of 2048 bits, as good as any. */
const KEYS = JSON.stringify({ keys: [{ kty: 'RSA', e: 'AQAB', n: Buffer.alloc(256, 7).toString('base64url') }] })
const RBAC = 'type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC'

type Server = { readonly tls: { readonly mode: string }; readonly hosts: readonly string[] }
type Rejected = { readonly listener: string; readonly details: string }

/** istiod and the proxies: injects pods and has in force what the policies in the store say, unless told otherwise. */
export class FakeMesh {
  image = 'docker.io/istio/proxyv2:1.31.0'
  injects = true
  trustDomain = 'cluster.local'
  /** What a pod's proxy refused, by the pod's name. */
  readonly rejected = new Map<string, readonly Rejected[]>()
  /** More filter chains for the registry's port, after the one that follows the policies. */
  readonly chains: (readonly RbacFilter[])[] = []
  port = 5000
  /** What istiod gets where it asks for an issuer's keys. */
  keys = KEYS
  /** The names the developers' gateway passes on. */
  passes: readonly string[] = [
    'outbound_.5443_._.kube-registry-developers.kube-registry.svc.cluster.local',
    'istiod.istio-system.svc',
  ]
  readonly #store: ObjectStore
  #frozen: readonly RbacFilter[] | undefined

  constructor(store: ObjectStore) {
    this.#store = store
  }

  /** From now on the proxies keep what they have. */
  freeze(): void {
    this.#frozen = this.filters()
  }

  thaw(): void {
    this.#frozen = undefined
  }

  filters(): readonly RbacFilter[] {
    if (this.#frozen !== undefined) return this.#frozen
    const policies = this.#store
      .list(POLICY)
      .filter(({ metadata }) => metadata.namespace === 'istio-system' || metadata.namespace === 'kube-registry')
    // Istio writes no filter for an action without policies: with no ALLOW policy everybody gets in.
    const rules = rbacFilters(policies, this.trustDomain)
    return [...rules.filter((filter) => Object.keys(filter.policies ?? {}).length > 0), ...this.#inserted()]
  }

  /** RBAC filters that EnvoyFilters put into the registry's proxy. */
  #inserted(): readonly RbacFilter[] {
    type Patch = { readonly patch: { readonly value: { readonly typed_config?: Readonly<Record<string, unknown>> } } }
    return this.#store
      .list(FILTER)
      .filter(({ metadata }) => metadata.namespace === 'kube-registry')
      .flatMap(({ spec }) => (spec as { readonly configPatches?: readonly Patch[] } | undefined)?.configPatches ?? [])
      .flatMap(({ patch: { value } }) =>
        value.typed_config?.['@type'] === RBAC ? [value.typed_config.rules as RbacFilter] : [],
      )
  }

  /** As istiod translates RequestAuthentications (istio pilot/pkg/security/authn). */
  #tokens(): readonly object[] {
    type Rule = {
      readonly issuer: string
      readonly audiences: readonly string[]
      readonly fromHeaders: readonly { readonly name: string; readonly prefix: string }[]
      readonly jwks?: string
    }
    const rules = this.#store
      .list(ISSUER)
      .flatMap(({ spec }) => (spec as { readonly jwtRules: readonly Rule[] }).jwtRules)
    const providers = rules.map(({ issuer, audiences, fromHeaders, jwks }, index) => [
      `origins-${index}`,
      {
        issuer,
        audiences,
        from_headers: fromHeaders.map(({ name, prefix }) => ({ name, value_prefix: prefix })),
        local_jwks: { inline_string: jwks ?? this.keys },
      },
    ])
    return rules.length === 0 ? [] : [{ typed_config: { '@type': TOKENS, providers: Object.fromEntries(providers) } }]
  }

  inject(pod: KubeObject): KubeObject {
    type Spec = { containers?: readonly { image?: string; ports?: V1Container['ports'] }[]; nodeName?: string }
    const { containers = [], nodeName } = (pod.spec ?? {}) as Spec
    if (!this.injects || containers[0]?.image !== 'auto') return pod
    const [injected] = INJECTED.spec.containers.map((container) => ({
      ...container,
      image: this.image,
      ports: [...(containers[0]?.ports ?? []), ...(container.ports ?? [])],
      env: (container.env ?? []).map((variable) =>
        variable.name === 'TRUST_DOMAIN' ? { ...variable, value: this.trustDomain } : variable,
      ),
    }))
    const place = nodeName === undefined ? {} : { nodeName }
    return { ...pod, spec: { ...INJECTED.spec, ...place, containers: [injected] } }
  }

  /** Answers as the proxies do; what else is asked is not its business. */
  answer({ how, pod, at, what }: Asked): Answer {
    const [namespace = '', name = ''] = pod.split('/')
    const isNode = namespace.endsWith('-node')
    if (how === 'exec' && at === 'istio-proxy' && what === `pilot-agent request GET ${DUMP}`)
      return namespace.endsWith('-ingress')
        ? this.#gateway(name, 15_443, this.passes)
        : namespace.endsWith('-expose')
          ? this.#gateway(name, 8443, this.#answered())
          : this.#dump(name)
    if (how === 'request' && isNode && at === 15_900) return this.#node(name, what)
    if (how !== 'request' || !isNode || at !== this.port) return undefined
    const [method = '', path = ''] = what.split(' ')
    const principal = spiffeId(this.trustDomain, namespace, 'registry-node')
    const request = { principal, method, path, host: `localhost:${this.port}`, port: this.port }
    return decide(this.filters(), request).allowed ? 200 : 403
  }

  /** A node's proxy follows Gateways once its pod is one. */
  #node(pod: string, what: string): Answer {
    const found = this.#store.read({ ...POD, namespace: 'kube-registry-node', name: pod })
    const { containers = [] } = (found?.spec ?? {}) as { containers?: readonly V1Container[] }
    const isGateway = containers[0]?.args?.includes('router') === true
    const objects = [GATEWAY, FILTER].flatMap((type) => this.#store.list(type))
    const gateway = isGateway ? new FakeGateway(objects, found?.metadata.labels ?? {}) : undefined
    if (what === `GET /${ROUTES}`) return gateway?.routes()
    if (what !== `GET /${DUMP}`) return undefined
    return gateway === undefined ? this.#dump(pod, []) : this.#config(pod, ...gateway.listeners())
  }

  #dump(pod: string, chains = [this.filters(), ...this.chains]): string {
    const filter_chains = this.#ports().flatMap((port) =>
      chains.map((filters) => ({
        filter_chain_match: { destination_port: port },
        filters: [
          {
            name: 'envoy.filters.network.http_connection_manager',
            typed_config: {
              http_filters: [
                ...this.#tokens(),
                ...filters.map((rules) => ({ typed_config: { '@type': RBAC, rules } })),
              ],
            },
          },
        ],
      })),
    )
    return this.#config(pod, { name: 'virtualInbound', filter_chains })
  }

  #gateway(pod: string, port_value: number, names: readonly string[]): string {
    const filter_chains = names.map((name) => ({ filter_chain_match: { server_names: [name] } }))
    return this.#config(pod, { address: { socket_address: { port_value } }, filter_chains })
  }

  /** The names of the exposing gateway's servers; for a mesh's, istiod makes one of the Service's. */
  #answered(): readonly string[] {
    const gateways = this.#store.list(GATEWAY, { namespace: 'kube-registry-expose' })
    const servers = gateways.flatMap(({ spec }) => (spec as { servers: readonly Server[] }).servers)
    return servers.flatMap(({ tls, hosts }) =>
      hosts.map((host) => (tls.mode === 'AUTO_PASSTHROUGH' ? `outbound_.5443_._.${host.slice(2)}` : host.slice(2))),
    )
  }

  #config(pod: string, ...listeners: readonly object[]): string {
    const errors = (this.rejected.get(pod) ?? []).map(({ listener, details }) => ({
      name: listener,
      error_state: { details },
    }))
    const active = listeners.map((listener) => ({ name: 'first', active_state: { listener } }))
    return JSON.stringify({ configs: [...active, ...errors] })
  }

  /** The registry's ports, as its Sidecar says. */
  #ports(): readonly number[] {
    const sidecar = this.#store.read({ ...SIDECAR, namespace: 'kube-registry', name: 'kube-registry' })
    const { ingress = [] } = (sidecar?.spec ?? {}) as { ingress?: readonly { port: { number: number } }[] }
    return sidecar === undefined ? [this.port] : ingress.map(({ port }) => port.number)
  }
}
