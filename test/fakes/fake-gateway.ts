import { isDeepStrictEqual } from 'node:util'
import type { KubeObject } from '../../src/domain/kube-object.ts'

type Server = { readonly port: { readonly number: number }; readonly bind?: string }
type GatewaySpec = { readonly selector?: Readonly<Record<string, string>>; readonly servers?: readonly Server[] }

const OWN = 'kube-registry-node'
const CLUSTER = 'outbound|5000||kube-registry.kube-registry.svc.cluster.local'

/** What istiod makes of all Gateways for a node's gateway, as its Envoy then tells it. */
export class FakeGateway {
  readonly #gateways: readonly KubeObject[]
  readonly #filtered: boolean

  constructor(objects: readonly KubeObject[], podLabels: Readonly<Record<string, string>>) {
    this.#gateways = objects.filter(({ kind, spec }) => {
      const { selector = {} } = (spec ?? {}) as GatewaySpec
      return kind === 'Gateway' && isDeepStrictEqual(selector, { ...selector, ...pick(podLabels, selector) })
    })
    this.#filtered = objects.some(({ kind, metadata }) => kind === 'EnvoyFilter' && metadata.namespace === OWN)
  }

  listeners(): readonly object[] {
    return this.#servers().map(({ port, bind = '0.0.0.0', own }) => ({
      name: `${bind}_${port.number}`,
      address: { socket_address: { address: bind, port_value: port.number } },
      ...(own && this.#filtered ? { enable_reuse_port: false } : {}),
      filter_chains: [
        {
          filter_chain_match:
            own && this.#filtered ? { source_prefix_ranges: [{ address_prefix: bind, prefix_len: 8 }] } : {},
        },
      ],
    }))
  }

  routes(): string {
    const routes = this.#servers().map(({ own }) => (own ? { route: { cluster: CLUSTER } } : { direct_response: {} }))
    return JSON.stringify({ configs: [{ route_config: { virtual_hosts: [{ routes }] } }] })
  }

  #servers() {
    return this.#gateways.flatMap(({ metadata, spec }) =>
      ((spec as GatewaySpec).servers ?? []).map((server) => ({ ...server, own: metadata.namespace === OWN })),
    )
  }
}

const pick = (labels: Readonly<Record<string, string>>, keys: object): Readonly<Record<string, string | undefined>> =>
  Object.fromEntries(Object.keys(keys).map((key) => [key, labels[key]]))
