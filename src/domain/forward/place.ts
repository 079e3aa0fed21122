export type Place = { readonly host: string; readonly port: number }

const PLACE = /^(?:[^\s:/[\]]+|\[[0-9a-fA-F:.]+\]):(\d{1,5})$/

/** `HOST:PORT`, as flags and the cluster give it. */
export function isPlace(text: string): boolean {
  const [, port = ''] = PLACE.exec(text) ?? []
  return Number(port) >= 1 && Number(port) <= 65_535
}

/** Of `HOST:PORT`, an IPv6 address in brackets. */
export function placeOf(address: string): Place {
  const colon = address.lastIndexOf(':')
  return { host: address.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(address.slice(colon + 1)) }
}
