import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { V1Container } from '@kubernetes/client-node'
import { decide, type RbacFilter } from '../../src/domain/envoy/rbac.ts'
import type { KubeObject } from '../../src/domain/kube-object.ts'
import { spiffeId } from '../../src/domain/policy/identity.ts'
import { rbacFilters } from '../domain/policy/istio.ts'
import type { Answer, Asked } from './fake-pods.ts'
import type { ObjectStore } from './object-store.ts'

/** What Istio 1.31 makes of `templatePod` by a server-side dry run, with the image as a release names it. */
const INJECTED = JSON.parse(
  readFileSync(join(import.meta.dirname, '../golden/injected-pod.json'), 'utf8'),
) as KubeObject & { readonly spec: { readonly containers: readonly V1Container[] } }

const POLICY = { apiVersion: 'security.istio.io/v1', kind: 'AuthorizationPolicy' }
const SIDECAR = { apiVersion: 'networking.istio.io/v1', kind: 'Sidecar' }
const DUMP = 'config_dump?resource=dynamic_listeners'
const RBAC = 'type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC'

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
    const filters = rbacFilters(policies, this.trustDomain)
    return [...filters.filter((filter) => Object.keys(filter.policies ?? {}).length > 0), ...this.#added()]
  }

  /** RBAC filters that our EnvoyFilters put before the router. */
  #added(): readonly RbacFilter[] {
    type Patch = { readonly applyTo: string; readonly patch: { value: { typed_config?: { rules?: RbacFilter } } } }
    return this.#store
      .list({ apiVersion: 'networking.istio.io/v1alpha3', kind: 'EnvoyFilter' })
      .flatMap(({ spec }) => (spec as { configPatches: readonly Patch[] }).configPatches)
      .filter(({ applyTo }) => applyTo === 'HTTP_FILTER')
      .flatMap(({ patch }) => patch.value.typed_config?.rules ?? [])
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
      return namespace.endsWith('-ingress') ? this.#gateway(name) : this.#dump(name)
    if (how === 'request' && isNode && at === 15_900 && what === `GET /${DUMP}`) return this.#dump(name, [])
    if (how !== 'request' || !isNode || at !== this.port) return undefined
    const [method = '', path = ''] = what.split(' ')
    const principal = spiffeId(this.trustDomain, namespace, 'registry-node')
    const request = { principal, method, path, host: `localhost:${this.port}`, port: this.port }
    return decide(this.filters(), request).allowed ? 200 : 403
  }

  #dump(pod: string, chains = [this.filters(), ...this.chains]): string {
    const filter_chains = this.#ports().flatMap((port) =>
      chains.map((filters) => ({
        filter_chain_match: { destination_port: port },
        filters: [
          {
            name: 'envoy.filters.network.http_connection_manager',
            typed_config: { http_filters: filters.map((rules) => ({ typed_config: { '@type': RBAC, rules } })) },
          },
        ],
      })),
    )
    return this.#config(pod, { name: 'virtualInbound', filter_chains })
  }

  #gateway(pod: string): string {
    const filter_chains = this.passes.map((name) => ({ filter_chain_match: { server_names: [name] } }))
    return this.#config(pod, { address: { socket_address: { port_value: 15_443 } }, filter_chains })
  }

  #config(pod: string, listener: object): string {
    const errors = (this.rejected.get(pod) ?? []).map(({ listener, details }) => ({
      name: listener,
      error_state: { details },
    }))
    return JSON.stringify({ configs: [{ name: 'first', active_state: { listener } }, ...errors] })
  }

  /** The registry's ports, as its Sidecar says. */
  #ports(): readonly number[] {
    const sidecar = this.#store.read({ ...SIDECAR, namespace: 'kube-registry', name: 'kube-registry' })
    const { ingress = [] } = (sidecar?.spec ?? {}) as { ingress?: readonly { port: { number: number } }[] }
    return sidecar === undefined ? [this.port] : ingress.map(({ port }) => port.number)
  }
}
