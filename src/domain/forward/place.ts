export type Place = { readonly host: string; readonly port: number }

/** Of `HOST:PORT`, an IPv6 address in brackets. */
export function placeOf(address: string): Place {
  const colon = address.lastIndexOf(':')
  return { host: address.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(address.slice(colon + 1)) }
}
