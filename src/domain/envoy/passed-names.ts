type Json = Readonly<Record<string, unknown>>

/** What a gateway's Envoy listens for, from `GET /config_dump?resource=dynamic_listeners`. */
export type Passing = {
  readonly port: number
  /** The names in the TLS hello it takes there; `*` stands for any, or for no TLS at all. */
  readonly names: readonly string[]
}

export function passing(dump: string): readonly Passing[] {
  const configs = ((JSON.parse(dump) as Json).configs ?? []) as readonly Json[]
  return configs.flatMap((entry) => {
    const listener = (entry.active_state as Json | undefined)?.listener as Json | undefined
    return listener === undefined ? [] : [{ port: portOf(listener), names: namesOf(listener) }]
  })
}

function portOf({ address }: Json): number {
  const socket = (address as Json | undefined)?.socket_address as Json | undefined
  return Number(socket?.port_value ?? 0)
}

function namesOf(listener: Json): readonly string[] {
  const chains = [
    ...((listener.filter_chains ?? []) as readonly Json[]),
    ...(listener.default_filter_chain === undefined ? [] : [listener.default_filter_chain as Json]),
  ]
  const names = chains.flatMap((chain) => {
    const match = chain.filter_chain_match as { readonly server_names?: readonly string[] } | undefined
    return match?.server_names ?? ['*']
  })
  return [...new Set(names)].sort()
}

/** In words what differs from passing on exactly `names` at `port`; undefined where nothing does. */
export function passingFault(found: readonly Passing[], port: number, names: readonly string[]): string | undefined {
  const [here, elsewhere] = [found.filter((one) => one.port === port), found.filter((one) => one.port !== port)]
  const passed = new Set(here.flatMap((one) => one.names))
  const missing = names.filter((name) => !passed.has(name))
  const surplus = [...passed].filter((name) => !names.includes(name))
  if (elsewhere.length > 0) return `it listens on port ${elsewhere.map((one) => one.port).join(', ')} as well`
  if (surplus.length > 0) return `it passes ${surplus.join(', ')} on as well`
  return missing.length > 0 ? `it does not pass ${missing.join(', ')} on yet` : undefined
}
