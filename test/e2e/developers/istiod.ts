import { connect } from 'node:http2'
import { field, fieldsOf, framed } from './protobuf.ts'
import type { Identity, Way } from './way-in.ts'

/** Who a client of istiod says that it is; istiod holds the namespace against its certificate or token. */
export type Node = {
  readonly namespace: string
  readonly kind?: 'sidecar' | 'router'
  readonly labels?: Readonly<Record<string, string>>
  /** Name of a WorkloadGroup to join. */
  readonly joins?: string
}

/** What proves it: a certificate, a token, or nothing. */
export type Proof = { readonly identity?: Identity; readonly token?: string }

export type Answer = {
  /** gRPC's, where istiod ended the stream. */
  readonly status?: number
  readonly message?: string
  /** Each resource's bytes, in which names can be looked for. */
  readonly resources?: readonly Buffer[]
}

const ENVOY = 'type.googleapis.com/envoy'

export const TYPES = {
  clusters: `${ENVOY}.config.cluster.v3.Cluster`,
  listeners: `${ENVOY}.config.listener.v3.Listener`,
  endpoints: `${ENVOY}.config.endpoint.v3.ClusterLoadAssignment`,
  secrets: `${ENVOY}.extensions.transport_sockets.tls.v3.Secret`,
  extensions: `${ENVOY}.config.core.v3.TypedExtensionConfig`,
  debug: 'istio.io/debug',
} as const

/** One request and istiod's first answer, on a stream of its own. */
export function ask(
  way: Way,
  { identity, token }: Proof,
  node: Node,
  type: string,
  ...names: readonly string[]
): Promise<Answer> {
  const session = connect(`https://${way.host}:${way.port}`, {
    ca: way.roots,
    servername: way.authority,
    ...(identity === undefined ? {} : { cert: identity.certificate, key: identity.key }),
  })
  return new Promise<Answer>((resolve, reject) => {
    session.on('error', reject)
    const stream = session.request({
      ':method': 'POST',
      ':path': '/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources',
      'content-type': 'application/grpc',
      te: 'trailers',
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    })
    let got = Buffer.alloc(0)
    const ended = (headers: Readonly<Record<string, unknown>>) => {
      const status = headers['grpc-status']
      if (status !== undefined) resolve({ status: Number(status), message: String(headers['grpc-message']) })
    }
    stream.setTimeout(5000, () => resolve({}))
    stream.on('response', ended).on('trailers', ended).on('error', reject)
    stream.on('data', (part: Buffer) => {
      got = Buffer.concat([got, part])
      const length = got.length < 5 ? Number.POSITIVE_INFINITY : got.readUInt32BE(1)
      if (got.length >= 5 + length) resolve({ resources: fieldsOf(got.subarray(5, 5 + length), 2) })
    })
    stream.write(framed(request(node, type, names)))
  }).finally(() => session.destroy())
}

/** DiscoveryRequest {node: 2 {id: 1, metadata: 3}, resource_names: 3, type_url: 4} */
function request(node: Node, type: string, names: readonly string[]): Buffer {
  const { namespace, kind = 'sidecar', labels = {}, joins } = node
  const id = `${kind}~192.0.2.9~workstation.${namespace}~${namespace}.svc.cluster.local`
  const group = joins === undefined ? {} : { AUTO_REGISTER_GROUP: joins }
  const metadata = struct({ NAMESPACE: namespace, CLUSTER_ID: 'Kubernetes', LABELS: labels, ...group })
  return Buffer.concat([
    field(2, Buffer.concat([field(1, Buffer.from(id)), field(3, metadata)])),
    ...names.map((name) => field(3, Buffer.from(name))),
    field(4, Buffer.from(type)),
  ])
}

type Json = string | { readonly [key: string]: Json }

/** google.protobuf.Struct: a map of text to Value {string: 3, struct: 5}. */
const struct = (fields: Readonly<Record<string, Json>>): Buffer =>
  Buffer.concat(
    Object.entries(fields).map(([key, value]) => {
      const inner = typeof value === 'string' ? field(3, Buffer.from(value)) : field(5, struct(value))
      return field(1, Buffer.concat([field(1, Buffer.from(key)), field(2, inner)]))
    }),
  )
