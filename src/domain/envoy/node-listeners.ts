type Json = Readonly<Record<string, unknown>>

/** What a node's gateway must be: this port, on loopback, leading to one cluster. */
export type NodeWay = { readonly port: number; readonly cluster: string }

const LOOPBACK = ['127.0.0.1', '::1']

/** In words what the Envoy of a node's gateway does that it should not, or does not yet that it should. */
export function nodeFaults(listenerDump: string, routeDump: string, way: NodeWay): readonly string[] {
  const listeners = configsOf(listenerDump).flatMap((entry) => {
    const listener = (entry.active_state as Json | undefined)?.listener as Json | undefined
    return listener === undefined ? [] : [listener]
  })
  const places = listeners.map(placeOf)
  const own = LOOPBACK.map((address) => `${address} ${way.port}`)
  const missing = places.includes(own[0] ?? '') ? [] : [`it does not listen on 127.0.0.1 port ${way.port} yet`]
  return [
    ...missing,
    ...places.filter((place) => !own.includes(place)).map((place) => `it listens on ${place.replace(' ', ' port ')}`),
    ...listeners.filter((one) => own.includes(placeOf(one))).flatMap(openings),
    ...routeFaults(routeDump, way),
  ]
}

const configsOf = (dump: string): readonly Json[] => ((JSON.parse(dump) as Json).configs ?? []) as readonly Json[]

function placeOf({ address }: Json): string {
  const socket = (address as Json | undefined)?.socket_address as Json | undefined
  return `${socket?.address ?? '*'} ${socket?.port_value ?? 0}`
}

/** By what else a connection could get in. */
function openings(listener: Json): readonly string[] {
  const chains = (listener.filter_chains ?? []) as readonly Json[]
  const narrow = chains.every((chain) => {
    const match = chain.filter_chain_match as { readonly source_prefix_ranges?: readonly Json[] } | undefined
    const ranges = match?.source_prefix_ranges ?? []
    return ranges.length > 0 && ranges.every(({ address_prefix }) => /^(127\.|::1$)/.test(String(address_prefix)))
  })
  const filtered = narrow && listener.default_filter_chain === undefined
  return [
    ...(filtered ? [] : [`its listener ${listener.name} takes connections from elsewhere than loopback`]),
    ...(listener.enable_reuse_port === false ? [] : [`its listener ${listener.name} can be shared by SO_REUSEPORT`]),
  ]
}

function routeFaults(dump: string, { cluster }: NodeWay): readonly string[] {
  const hosts = configsOf(dump).flatMap((entry) => {
    const config = entry.route_config as { readonly virtual_hosts?: readonly Json[] } | undefined
    return config?.virtual_hosts ?? []
  })
  const routes = hosts.flatMap((host) => (host.routes ?? []) as readonly Json[])
  const leads = (route: Json) => (route.route as Json | undefined)?.cluster === cluster
  if (!routes.some(leads)) return ['it does not lead to the registry yet']
  const others = routes.filter((route) => !leads(route))
  return others.length === 0 ? [] : [`${others.length} of its routes lead elsewhere: ${others.map(whither).join(', ')}`]
}

function whither(route: Json): string {
  const to = (route.route as Json | undefined)?.cluster
  return typeof to === 'string' ? to : 'direct_response' in route ? 'an answer of its own' : 'another place'
}
