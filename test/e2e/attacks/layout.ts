/**
 * What Istio's proxy is on the nodes while a file of suites runs. The attacks are made for both: 51-attacks-gateway.long.ts
 * sets the other one and runs the files of the default again.
 */
export const layout: { nodeProxy: 'sidecar' | 'gateway' } = { nodeProxy: 'sidecar' }

/** Envoy's listeners on a node, as an EnvoyFilter names them. */
export const nodeContext = (): string => (layout.nodeProxy === 'gateway' ? 'GATEWAY' : 'SIDECAR_OUTBOUND')
