import type { V1Node } from '@kubernetes/client-node'

/** Where a node is reached from outside; where it has no such address, from the network it is in. */
export function addressesOf({ status }: V1Node): readonly string[] {
  const of = (type: string) => (status?.addresses ?? []).filter((one) => one.type === type).map((one) => one.address)
  const external = of('ExternalIP')
  return external.length > 0 ? external : of('InternalIP')
}

export const isExternal = ({ status }: V1Node): boolean =>
  (status?.addresses ?? []).some(({ type }) => type === 'ExternalIP')
